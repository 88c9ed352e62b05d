"""Rows become records: the ids of the schemas stand before key and body, found once per schema."""

from __future__ import annotations

from typing import NamedTuple

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.relaying.claims import Claims, Row
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.headers import Unpacker
from event_bus_kafka.wire.records import ProducerRecord


class _Frame(NamedTuple):
    """What all rows of a schema have in common."""

    key: bytes
    """What stands before the key, as ``value`` before the body."""
    value: bytes
    unpack: Unpacker
    event_type: str


class Frames:
    """What rows of each schema have in common, for the life of a relay."""

    def __init__(self, claims: Claims, registry: serde.SchemaIds) -> None:
        self._claims = claims
        self._registry = registry
        self._known: dict[int, _Frame] = {}

    def record(self, row: Row) -> ProducerRecord:
        """
        Return the record of a row.

        Raises :class:`SchemaRegistryError` if an id is not to be had, :class:`BrokerError` if the schema is gone or the
        row cannot be read.
        """
        _, topic, key, body, headers, schema = row
        frame = self._known.get(schema) or self._find(schema)
        try:
            return ProducerRecord(
                topic=topic,
                key=frame.key + key,
                value=None if body is None else frame.value + body,
                headers=frame.unpack(headers),
            )
        except Exception as error:
            reason = f"no record can be made of it: {type(error).__name__}"
            raise BrokerError(error_codes.UNREADABLE_ROW, reason) from error

    def event_type(self, schema: int) -> str:
        """Return the event type of a row's schema, empty while that is not known."""
        return self._known[schema].event_type if schema in self._known else ""

    def _find(self, schema: int) -> _Frame:
        destination = self._claims.destination(schema)
        if destination is None:
            raise BrokerError(error_codes.NO_SCHEMA, f"the writer's schema {schema} is missing in the table")
        key, value = serde.frames_of(destination, self._registry)
        self._known[schema] = _Frame(key, value, Unpacker(), destination.event_type)
        return self._known[schema]
