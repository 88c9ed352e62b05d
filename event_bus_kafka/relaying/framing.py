"""Converts outbox rows to Kafka records, which have schema ids before key and value. Counts and reports sent rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.relaying.claims import Claims, Row
from event_bus_kafka.telemetry import emit, flush_observers, is_wanted, tallies
from event_bus_kafka.telemetry.counting import type_label
from event_bus_kafka.telemetry.events import RecordDelivered, RowParked
from event_bus_kafka.telemetry.metrics import ROWS_SENT
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.headers import Unpacker, text_of
from event_bus_kafka.wire.records import ProducerRecord


class _Frame(NamedTuple):
    """The parts that the records of all rows with the same schema share."""

    key: bytes
    """The bytes before each key, which contain the schema id."""
    value: bytes
    """The bytes before each body, which contain the schema id."""
    unpack: Unpacker
    event_type: str


class Frames:
    """Makes Kafka records from rows. Caches the parts that all records of a schema share, as long as the relay runs."""

    def __init__(self, claims: Claims, registry: serde.SchemaIds) -> None:
        self._claims = claims
        self._registry = registry
        self._known: dict[int, _Frame] = {}

    def record(self, row: Row) -> ProducerRecord:
        """
        Return the Kafka record for a row.

        Raises :class:`SchemaRegistryError` if a schema id cannot be obtained, :class:`BrokerError` if the schema is
        missing in the table or the row cannot be read.
        """
        _, topic, key, body, headers, schema = row
        frame = self._known.get(schema) or self._find(schema)
        try:
            value = None if body is None else frame.value + body
            return ProducerRecord(topic, frame.key + key, value, frame.unpack(headers))
        except Exception as error:
            reason = f"the row cannot be read: {type(error).__name__}"
            raise BrokerError(error_codes.UNREADABLE_ROW, reason) from error

    def event_type(self, schema: int) -> str:
        """Return the event type of a row's schema; empty if the schema was not read yet."""
        return self._known[schema].event_type if schema in self._known else ""

    def event_id(self, row: Row) -> str:
        """Return the event id in the row's headers; empty if there is none. Call :meth:`record` first."""
        headers = self._known[row.schema].unpack(row.headers)
        named = headers if isinstance(headers, dict) else dict(headers)
        return (named.get("ce_id") or b"").decode(errors="replace")

    def _find(self, schema: int) -> _Frame:
        destination = self._claims.destination(schema)
        if destination is None:
            raise BrokerError(error_codes.NO_SCHEMA, f"the writer's schema {schema} is missing in the table")
        key, value = serde.frames_of(destination, self._registry)
        self._known[schema] = _Frame(key, value, Unpacker(), destination.event_type)
        return self._known[schema]


class Deliveries:
    """
    Counts the confirmed rows of a batch. If an observer wants RecordDelivered, this event is also emitted for each
    confirmed row, with partition and offset.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._positions: list[tuple[str, int, int]] | None = [] if is_wanted(RecordDelivered) else None
        """Topic, partition and offset of each row that is confirmed and not taken yet."""
        self._delivered: list[RecordDelivered] = []
        self._schemas: Counter[int] = Counter()

    def confirm(self, message: Any) -> None:
        """Note the delivery report of a record that Kafka has confirmed."""
        if self._positions is not None:
            self._positions.append((message.topic(), message.partition(), message.offset()))

    def take(self, rows: Sequence[Row]) -> None:
        """Note ``rows`` for :meth:`tell`. They must be all rows that Kafka has confirmed since the last call."""
        self._schemas.update([row.schema for row in rows])
        if self._positions is not None:
            self._delivered += map(self._delivery, rows, self._positions)
            self._positions.clear()

    def tell(self, parked: Iterable[tuple[Row, BrokerError]]) -> None:
        """
        Count the confirmed rows. Emit RecordDelivered for each confirmed row if an observer wants it. Emit RowParked
        for each parked row.
        """
        for schema, count in self._schemas.items():
            tallies.add(ROWS_SENT, (type_label(self._frames.event_type(schema)),), count)
        for delivered in self._delivered:
            emit(delivered)
        flush_observers()
        for row, error in parked:
            told = RowParked(
                row=row.id,
                topic=row.topic,
                event_type=self._frames.event_type(row.schema) or text_of(row.headers, "ce_type"),
                event_id=text_of(row.headers, "ce_id"),
                error=error,
                code=error.code,
            )
            emit(told)

    def _delivery(self, row: Row, position: tuple[str, int, int]) -> RecordDelivered:
        topic, partition, offset = position
        return RecordDelivered(
            topic=topic,
            partition=partition,
            offset=offset,
            event_type=self._frames.event_type(row.schema),
            event_id=self._frames.event_id(row),
        )
