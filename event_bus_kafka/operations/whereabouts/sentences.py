"""Formats the findings about an event, as sentences and as JSON, without personal data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import groupby
from typing import Any
from uuid import UUID

import attrs
from django.db import DEFAULT_DB_ALIAS

from event_bus_kafka.models import EntryState
from event_bus_kafka.operations.whereabouts.answer import (
    MOST,
    GroupPlace,
    KafkaPlace,
    LetterPlace,
    Loss,
    MarkPlace,
    MaybeGone,
    OutboxPlace,
    Reached,
    ReceiverPart,
    Scanned,
    Unseen,
    Whereabouts,
)
from event_bus_kafka.shown import shown, shown_time

OTHERS = "Outboxes, dead letters and inboxes of other services are in their databases: ask there, too."
_LATE = 60_000
"""A record is called late if its timestamp is more than this number of milliseconds after the time in the event id."""
_TIMES = frozenset({"since", "time", "changed", "last_time", "start_time"})
_KEPT_BACK = ("key", "limit", "asked")
"""Attributes that are missing in the JSON. ``key`` is personal data. The others say nothing about the event."""
_INDENT = "    "


def sentences(answer: Whereabouts) -> list[str]:
    """
    Return a line for each finding: first the event's places, then the extent of the search, then places that could not
    be searched.
    """
    lines = [
        _title(answer),
        *map(_outbox, answer.outbox),
        *_records(answer),
        *(line for letter in answer.letters for line in _letter(letter)),
        *map(_mark, answer.marks),
        *([] if answer.is_found else ["It is nowhere in the places that could be searched."]),
        *map(_gone, answer.gone),
        *_scanned(answer),
        *map(_unseen, answer.unseen),
        OTHERS,
    ]
    return [_INDENT * line.startswith(_INDENT) + shown(line.strip()) for line in lines]


def as_json(answer: Whereabouts) -> dict[str, Any]:
    """Return all findings as JSON values, without the key in plain text. Times are in ISO 8601."""
    emitted = answer.question.emitted
    return {
        "found": answer.is_found,
        "emitted": None if emitted is None else shown_time(emitted),
        **attrs.asdict(answer, filter=lambda field, _: field.name not in _KEPT_BACK, value_serializer=_plain),
    }


def _title(answer: Whereabouts) -> str:
    question = answer.question
    if question.event_id is None:
        return f"Events with this key{_of_type(answer.event_type)}, the latest {MOST} of each place:"
    emitted = question.emitted
    when = "whose id carries no time" if emitted is None else f"emitted {_time(emitted)}, as its id says"
    return f"Event {question.event_id}{_of_type(answer.event_type)}, {when}:"


def _of_type(event_type: str) -> str:
    return f" of type {event_type}" if event_type else ""


def _outbox(one: OutboxPlace) -> str:
    place = f"row {one.row} of the outbox of database {one.database!r}, for topic {one.topic}{_which(one.event_id)}"
    if one.is_parked:
        return (
            f"Parked since {_time(one.since)}: {place}. Kafka refused it: {one.code}, {one.reason}. Once the cause is "
            f"gone: event_outbox release {one.row}{_on(one.database)} --apply."
        )
    see = f"event_outbox status{_on(one.database)}"
    return f"Waiting since {_time(one.since)}: {place}. No relay has sent it yet: see {see}."


def _on(database: str) -> str:
    """Return the option ``--database`` of a command; empty for the default database."""
    return "" if database == DEFAULT_DB_ALIAS else f" --database {database}"


def _records(answer: Whereabouts) -> Iterator[str]:
    if answer.more_records:
        yield f"In Kafka: {answer.more_records} more records, which are older than the following."
    emitted = answer.question.emitted
    for record in answer.records:
        yield from _record(record, emitted)


def _record(record: KafkaPlace, emitted: int | None) -> Iterator[str]:
    written = "at an unknown time" if record.time is None else _time(record.time)
    kind = "its deletion, a tombstone, " if record.is_tombstone else ""
    kind = "a dead letter of it, " if record.is_dead_letter else kind
    late = (
        ", long after its id was made: it waited in an outbox, or its sender's clock is off"
        if emitted is not None and record.time is not None and record.time - emitted > _LATE
        else ""
    )
    key = "no key" if record.masked_key is None else record.masked_key
    yield f"In Kafka: {kind}{record.coordinates}, written {written}{late}; {key}{_which(record.event_id)}."
    if not record.is_dead_letter:
        yield from map(_group, record.groups)
        if not record.groups:
            yield f"{_INDENT}No group that could be seen has committed an offset for this partition."


def _group(one: GroupPlace) -> str:
    lag = f"lag {one.lag}"
    told = {
        Reached.BEYOND: f"is beyond it: it has committed {one.committed}, {lag}",
        Reached.BEHIND: f"is not beyond it: it has committed {one.committed}, {one.before} before it, {lag}",
        Reached.TAKEN: f"will pass over it, since it was quarantined: it has committed {one.committed}, {lag}",
        Reached.NOTHING: f"has committed nothing for this partition, although it is to read the topic; {lag}",
    }
    return f"{_INDENT}Group {one.group} {told[one.reached]}."


def _letter(one: LetterPlace) -> Iterator[str]:
    place = f"of {one.coordinates} in group {one.group}{_which(one.event_id)}"
    if one.is_open:
        yield f"Dead letter {one.letter} {place}: replay it by event_dead_letters replay {one.letter} --apply."
    else:
        yield f"A dead letter {place} was here, and is gone:"
    for part in one.receivers:
        yield f"{_INDENT}{part.receiver or 'Reading the record'}: {_part(part, is_open=one.is_open)}."


def _part(part: ReceiverPart, *, is_open: bool) -> str:
    when = _time(part.changed)
    failed = f"after {part.attempts} attempts, the last {when}: {part.error or 'no reason is known'}"
    if part.state == EntryState.FAILED:
        return f"failed {failed}" if is_open else f"failed {failed}; the letter was deleted since, nobody noted why"
    told = {
        EntryState.SUCCEEDED: f"succeeded {when}",
        EntryState.REPLACED: f"{part.stand_in} succeeded in its place {when}",
        EntryState.DISCARDED: f"discarded {when}, after {part.attempts} attempts",
        EntryState.EXPIRED: f"expired {when}: its letter was older than EVENT_BUS_KAFKA_RETENTION",
    }
    return told[EntryState(part.state)]


def _mark(one: MarkPlace) -> str:
    return f"Received: {one.receiver} has had it {_time(one.since)}, as the inbox of database {one.database!r} says."


def _gone(one: MaybeGone) -> str:
    place = one.topic if one.partition is None else f"{one.topic}:{one.partition}"
    if one.offset is not None:
        why = f"the partition begins at {one.start}" if one.loss is Loss.RETENTION else "there is no record any more"
        return f"Not there any more: it was {place}:{one.offset}, and {why}."
    if one.loss is Loss.COMPACTION:
        return f"Maybe not there any more: topic {place} is compacted, and keeps the last record of a key alone."
    begins = "holds no records" if one.start_time is None else f"begins with a record of {_time(one.start_time)}"
    return f"Maybe not there any more: {place} {begins}, at offset {one.start}; what was before is deleted."


def _scanned(answer: Whereabouts) -> Iterator[str]:
    for topic, group in groupby(sorted(answer.scanned, key=lambda one: (one.topic, one.partition)), _topic_of):
        partitions = list(group)
        left = [one for one in partitions if not one.is_complete]
        offsets = sum(one.stop - one.start for one in partitions)
        yield f"Looked at {offsets} offsets of topic {topic}, {'to its end' if not left else 'not to its end'}."
        yield from map(_left, left)
    if left := [one for one in answer.scanned if not one.is_complete]:
        how = _how_to_go_on(left)
        yield f"{answer.question.seconds:g} seconds were over after {answer.read} records: go on with {how}."


def _how_to_go_on(left: Sequence[Scanned]) -> str:
    """
    Return the option with which an operator can continue the search: ``--since`` if each partition has a ``last_time``,
    else ``--seconds``.
    """
    times = [one.last_time for one in left if one.last_time is not None]
    return f"--since {_time(min(times))}" if len(times) == len(left) else "a larger --seconds"


def _topic_of(one: Scanned) -> str:
    return one.topic


def _left(one: Scanned) -> str:
    upto = f", up to a record of {_time(one.last_time)}" if one.last_time is not None else ""
    return f"{_INDENT}Partition {one.partition}: {one.stop} of {one.end}{upto}."


def _unseen(one: Unseen) -> str:
    return f"Not seen: {one.what}: {one.why.rstrip('.')}."


def _which(event_id: str) -> str:
    return f", event {event_id}" if event_id else ", an event without an id"


def _time(milliseconds: int) -> str:
    return shown_time(milliseconds, "seconds")


def _plain(_: Any, field: attrs.Attribute[Any] | None, value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    is_time = field is not None and field.name in _TIMES and isinstance(value, int)
    return shown_time(value) if is_time else value
