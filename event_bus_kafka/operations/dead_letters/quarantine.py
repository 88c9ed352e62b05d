"""Quarantines a record that makes every worker crash: the record becomes a dead letter, and workers skip it."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.dead_letters.letter import Failure, Letter, Store, identity
from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.errors import BrokerError, CannotTake
from event_bus_kafka.kafka.offsets import Committed, Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.operations.dead_letters.coordinates import Coordinates
from event_bus_kafka.operations.group_members import refuse_members
from event_bus_kafka.wire.records import ConsumerRecord

_ERROR = "quarantined by hand"


@attrs.frozen(kw_only=True)
class QuarantinePlan:
    """The dead letter and the commit that quarantine a record."""

    letter: Letter
    position: Committed
    """
    Offset and metadata to commit. If the group would read the record next, this is the offset after the record.
    Otherwise the group's offset stays as it is, and the metadata marks the record as quarantined.
    """


def look(reader: Reader, coordinates: Coordinates, group: str) -> QuarantinePlan:
    """
    Plan the quarantine of a record. Raises :class:`CannotTake`, with the reason, if the record cannot be quarantined.
    Raises :class:`BrokerError` if Kafka does not answer.
    """
    refuse_members(reader, group, CannotTake)
    partition = (coordinates.topic, coordinates.partition)
    there = _range(reader, coordinates)
    committed = reader.committed([partition], timeout=reader.timeout).get(partition) or Committed(there.start)
    if coordinates.offset < committed.offset:
        raise CannotTake(f"{coordinates} is finished: group {group} continues from offset {committed.offset}.")
    metadata = OffsetMetadata.read(committed.metadata)
    if coordinates.offset in metadata.taken:
        raise CannotTake(f"{coordinates} was quarantined before: workers of group {group} skip the record.")
    record = reader.record_at(partition, coordinates.offset)
    if record is None:
        raise CannotTake(f"{coordinates} holds no record: compaction has removed it, or it is one of Kafka's own.")
    return QuarantinePlan(letter=_letter(record, group), position=_position(committed, metadata, coordinates.offset))


def take(reader: Reader, store: Store, taking: QuarantinePlan) -> None:
    """
    Store the dead letter, then commit the offset. After an exception, it is safe to repeat the call.

    Raises the exceptions of ``store``, and :class:`CannotTake` if Kafka refuses the commit.
    """
    store.store(taking.letter)
    record = taking.letter.record
    try:
        reader.commit({(record.topic, record.partition): taking.position})
    except BrokerError as error:
        raise CannotTake(
            f"{record.coordinates} is stored as a dead letter, but workers do not skip the record yet, because the "
            f"commit failed: {error}. Check that no worker of the group runs, then repeat the command."
        ) from error


def _range(reader: Reader, coordinates: Coordinates) -> Range:
    partition = (coordinates.topic, coordinates.partition)
    if partition not in reader.partitions(coordinates.topic):
        raise CannotTake(f"There is no partition {coordinates.partition} of {coordinates.topic}: name topics in full.")
    there = reader.range_of(partition, timeout=reader.timeout)
    if not there.start <= coordinates.offset < there.end:
        has = f"offsets {there.start} to {there.end - 1}" if there.end > there.start else "no records"
        raise CannotTake(f"{coordinates} is not there: the partition has {has}.")
    return there


def _position(committed: Committed, metadata: OffsetMetadata, offset: int) -> Committed:
    if committed.offset == offset:
        return Committed(offset + 1, metadata.at(offset + 1))
    more = attrs.evolve(metadata, taken=metadata.taken | {offset})
    if not more.fit:
        raise CannotTake("The group's commit has no room to mark one more record as quarantined: run workers first.")
    return Committed(committed.offset, more.at(committed.offset))


def _letter(record: ConsumerRecord, group: str) -> Letter:
    event_type, event_id = identity(record)
    signal = dispatch.signal_named(event_type)
    names = [receiver.name for receiver in dispatch.receivers_of(signal)] if signal else []
    return Letter(
        group=group,
        record=record,
        event_type=event_type,
        event_id=event_id,
        failures=tuple(Failure(receiver=name, error=_ERROR) for name in names or [""]),
        attempts=0,
        failed_at=datetime.now(UTC),
    )
