"""Copies dead letters from a topic of dead letters into the table of dead letters."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from django.db import DataError, IntegrityError

from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dead_letters.table_store import store
from event_bus_kafka.dead_letters.topic_store import from_record
from event_bus_kafka.errors import BrokerError, DeserializationError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.offsets import Committed, Partition, Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.wire.records import ConsumerRecord

_COMMIT_EVERY = 500
_UNFIT = (DataError, IntegrityError, OverflowError, ValueError)
"""Exceptions which mean that a record is not a dead letter of this package."""


@attrs.define
class Imported:
    """The result of an import. Without ``apply``, the numbers say what an import would do."""

    stored: int = 0
    known: int = 0
    """
    Number of letters that were not stored, because the table contains them with the same last failure or a later one.
    """
    foreign: list[str] = attrs.field(factory=list)
    """Coordinates of records that are not dead letters of this package."""


def import_group(group: str) -> str:
    """
    Return the name of the consumer group under which an import commits its offsets. ``group``: the group whose dead
    letters are imported.
    """
    return f"{group}.dead-letters.import"


def import_all(reader: Reader, topic: str, *, apply: bool) -> Imported:
    """
    Import the dead letters from the end of the last import to the present end of the topic. If ``apply`` is False, only
    count them.

    Raises :class:`BrokerError` or a database error. After an error, another call continues at the last committed
    offset.
    """
    imported = Imported()
    for partition, todo in _todo(reader, topic):
        position = todo.start
        for count, record in enumerate(reader.read(partition, todo), start=1):
            _take_in(record, imported, apply=apply)
            position = record.offset + 1
            if apply and count % _COMMIT_EVERY == 0:
                reader.commit({partition: Committed(position)})
        if apply and position > todo.start:
            reader.commit({partition: Committed(position)})
    return imported


def _todo(reader: Reader, topic: str) -> Iterator[tuple[Partition, Range]]:
    partitions = reader.partitions(topic)
    if not partitions:
        raise BrokerError(error_codes.UNKNOWN_TOPIC_OR_PART, f"there is no topic {topic}")
    done = reader.committed(partitions, timeout=reader.timeout)
    for partition in partitions:
        there = reader.range_of(partition, timeout=reader.timeout)
        start = max(there.start, done[partition].offset if partition in done else 0)
        if start < there.end:
            yield partition, Range(start, there.end)


def _take_in(record: ConsumerRecord, imported: Imported, *, apply: bool) -> None:
    try:
        letter = from_record(record)
        if _is_known(letter):
            imported.known += 1
            return
        if apply:
            store(letter)
    except (DeserializationError, *_UNFIT):
        imported.foreign.append(record.coordinates)
        return
    imported.stored += 1


def _is_known(letter: Letter) -> bool:
    return DeadLetter.objects.has_failed_since(
        letter.record, group=letter.group, event_id=letter.event_id, time=letter.failed_at
    )
