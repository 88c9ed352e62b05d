"""Selects records of topics by the criteria that an operator gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from event_bus_kafka.dead_letters.letter import identity
from event_bus_kafka.errors import BrokerError, DeserializationError, SchemaRegistryError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.offsets import Partition, Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.operations.group_offsets import Target
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import ConsumerRecord


@attrs.frozen(kw_only=True)
class Wanted:
    """Criteria for records. A record is wanted if it matches all criteria that are not None."""

    event_type: str | None = None
    key: str | None = None
    """The key in plain text."""
    since: int | None = None
    """Smallest timestamp of wanted records, in milliseconds since the epoch."""
    before: int | None = None
    """Timestamps of wanted records are less than this number, in milliseconds since the epoch."""

    def fits(self, record: ConsumerRecord, registry: serde.SchemaIds) -> bool:
        """
        Whether a record matches all criteria. Raises :class:`SchemaRegistryError` if a key's schema cannot be fetched
        at present. A key that cannot be decoded is compared as text.
        """
        return (
            (self.since is None or self.since <= _time(record))
            and (self.before is None or _time(record) < self.before)
            and (self.event_type is None or self.event_type == identity(record)[0])
            and (self.key is None or self.key == _plain_key(record, registry))
        )


def ranges(reader: Reader, partitions: Sequence[Partition], start: Target, end: Target) -> dict[Partition, Range]:
    """
    Return partition → range of existing offsets from ``start`` to ``end``. Raises :class:`BrokerError`.

    If ``end`` is a time, it does not limit the range, because timestamps need not increase with offsets. Filter the
    records by time afterwards.
    """
    found: dict[Partition, Range] = {}
    at_time = _offsets_at(reader, partitions, start.time)
    begin = start if start.time is None else attrs.evolve(start, earliest=True)
    for name in partitions:
        there = reader.range_of(name, timeout=reader.timeout)
        first = max(at_time.get(name, there.start), _offset(begin, there))
        found[name] = Range(first, max(first, _offset(end, there)))
    return found


def read(reader: Reader, found: Mapping[Partition, Range]) -> Iterator[ConsumerRecord]:
    """Yield the records of the ranges, one partition after the other. Raises :class:`BrokerError`."""
    for name, offsets in found.items():
        if offsets.start < offsets.end:
            yield from reader.read(name, offsets)


def _offsets_at(reader: Reader, partitions: Iterable[Partition], time: int | None) -> dict[Partition, int]:
    """
    Return partition → offset of the first record at or after ``time``. The mapping is empty if ``time`` is None or the
    brokers cannot search by time.
    """
    if time is None:
        return {}
    try:
        return reader.offsets_at(partitions, time, timeout=reader.timeout)
    except BrokerError as error:
        if error.code != error_codes.UNSUPPORTED_FEATURE:
            raise
        return {}


def _offset(target: Target, there: Range) -> int:
    if target.offset is not None:
        return min(target.offset, there.end)
    return there.start if target.earliest else there.end


def _time(record: ConsumerRecord) -> int:
    return -1 if record.timestamp is None else record.timestamp


def _plain_key(record: ConsumerRecord, registry: serde.SchemaIds) -> str | None:
    if record.key is None:
        return None
    try:
        return str(serde.as_written(record.key, registry))
    except (DeserializationError, SchemaRegistryError) as error:
        if isinstance(error, SchemaRegistryError) and error.retriable:
            raise
        return record.key.decode(errors="replace")  # not a key that this package wrote
