"""Rows become records: the ids of the schemas stand before key and body, found once per schema."""

from __future__ import annotations

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.producing.claims import Claims, Row
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.headers import unpack_by_name
from event_bus_kafka.wire.records import ProducerRecord


class Frames:
    """What rows of each schema have in common, for the life of a relay."""

    def __init__(self, claims: Claims, registry: serde.SchemaIds) -> None:
        self._claims = claims
        self._registry = registry
        self._known: dict[int, tuple[bytes, bytes, str]] = {}

    def record(self, row: Row) -> ProducerRecord:
        """
        Return the record of a row.

        Raises :class:`SchemaRegistryError` if an id is not to be had, :class:`BrokerError` if the schema is gone.
        """
        key, value, _ = self._known.get(row.schema) or self._find(row.schema)
        body = None if row.body is None else value + row.body
        return ProducerRecord(topic=row.topic, key=key + row.key, value=body, headers=unpack_by_name(row.headers))

    def event_type(self, schema: int) -> str:
        """Return the event type of a row's schema, empty while that is not known."""
        return self._known[schema][2] if schema in self._known else ""

    def _find(self, schema: int) -> tuple[bytes, bytes, str]:
        destination = self._claims.destination(schema)
        if destination is None:
            raise BrokerError("_NO_SCHEMA", f"the writer's schema {schema} is missing in the table")
        key, value = serde.frames_of(destination, self._registry)
        self._known[schema] = key, value, destination.event_type
        return self._known[schema]
