"""Formats the findings about an event, as lines, sentences and JSON, without personal data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from shlex import quote
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
    Question,
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
"""
Attributes that are missing in the JSON. ``key`` is personal data. ``limit`` and ``asked`` say nothing about the event.
"""
_INDENT = "    "
_LONGER = 4
"""An operator is advised to search this many times longer if the time for reading records was too short."""

Time = Callable[[int], str]
"""Returns a time, in milliseconds since the epoch, as text."""


@attrs.frozen(kw_only=True)
class AnswerLine:
    """A finding, or an advice."""

    text: str
    command: str = ""
    """The command that ``text`` announces; empty: ``text`` is complete."""
    is_detail: bool = False
    """True: the line belongs to the nearest line before it whose ``is_detail`` is False."""
    place: OutboxPlace | LetterPlace | GroupPlace | None = None
    """The place that the line is about, if an operator can act on it."""


def sentences(answer: Whereabouts) -> list[str]:
    """Return the texts of :func:`lines`; details are indented."""
    return [f"{_INDENT * one.is_detail}{one.text}{' ' * bool(one.command)}{one.command}" for one in lines(answer)]


def lines(answer: Whereabouts, time: Time | None = None) -> list[AnswerLine]:
    """
    Return a line for each finding: first the event itself, then its places, the extent of the search, and places that
    could not be searched. ``time``: returns milliseconds since the epoch as text; None: in ISO 8601 and UTC.
    """
    found = _Report(answer=answer, time=time or _time).lines()
    return [attrs.evolve(one, text=shown(one.text), command=shown(one.command)) for one in found]


def as_json(answer: Whereabouts) -> dict[str, Any]:
    """Return all findings as JSON values, without the key in plain text. Times are in ISO 8601."""
    emitted = answer.question.emitted
    return {
        "found": answer.is_found,
        "emitted": None if emitted is None else shown_time(emitted),
        **attrs.asdict(answer, filter=lambda field, _: field.name not in _KEPT_BACK, value_serializer=_plain),
    }


@attrs.frozen(kw_only=True)
class _Report:
    """Formats the findings, with times as ``time`` writes them."""

    answer: Whereabouts
    time: Time

    def lines(self) -> Iterator[AnswerLine]:
        answer = self.answer
        yield AnswerLine(text=self._title())
        yield from map(self._outbox, answer.outbox)
        if answer.more_records:
            yield AnswerLine(text=f"In Kafka: {answer.more_records} more records, which are older than the following.")
        for record in answer.records:
            yield from self._record(record)
        for letter in answer.letters:
            yield from self._letter(letter)
        yield from map(self._mark, answer.marks)
        if not answer.is_found:
            yield AnswerLine(text="It is nowhere in the places that could be searched.")
        yield from map(self._gone, answer.gone)
        yield from self._scanned()
        yield from map(_unseen, answer.unseen)
        yield AnswerLine(text=OTHERS)

    def _title(self) -> str:
        question, of_type = self.answer.question, f" of type {kind}" if (kind := self.answer.event_type) else ""
        if question.event_id is None:
            return f"Events with this key{of_type}, the latest {MOST} of each place."
        emitted = question.emitted
        when = "whose id carries no time" if emitted is None else f"emitted {self.time(emitted)}, as its id says"
        return f"Event {question.event_id}{of_type}, {when}."

    def _outbox(self, one: OutboxPlace) -> AnswerLine:
        place = f"row {one.row} of the outbox of database {one.database!r}, for topic {one.topic}"
        text = f"since {self.time(one.since)}: {place}{_which(one.event_id)}."
        on = _on(one.database)
        if one.is_parked:
            text = f"Parked {text} Kafka refused it: {one.code}, {one.reason}. Once the cause is gone:"
            return AnswerLine(text=text, command=f"manage.py event_outbox release {one.row}{on} --apply", place=one)
        text = f"Waiting {text} No relay has sent it yet. To see why:"
        return AnswerLine(text=text, command=f"manage.py event_outbox status{on}", place=one)

    def _record(self, record: KafkaPlace) -> Iterator[AnswerLine]:
        emitted = self.answer.question.emitted
        written = "at an unknown time" if record.time is None else self.time(record.time)
        kind = "its deletion, a tombstone, " if record.is_tombstone else ""
        kind = "a dead letter of it, " if record.is_dead_letter else kind
        late = (
            ", long after its id was made: it waited in an outbox, or its sender's clock is off"
            if emitted is not None and record.time is not None and record.time - emitted > _LATE
            else ""
        )
        key = "no key" if record.masked_key is None else f"{record.masked_key} (masked; cannot be searched for)"
        which = _which(record.event_id)
        yield AnswerLine(text=f"In Kafka: {kind}{record.coordinates}, written {written}{late}; {key}{which}.")
        if not record.is_dead_letter:
            yield from (_group(one, has_letter=self._has_letter(record, one)) for one in record.groups)
            if not record.groups:
                text = "No group that could be seen has committed an offset for this partition."
                yield AnswerLine(text=text, is_detail=True)

    def _has_letter(self, record: KafkaPlace, at: GroupPlace) -> bool:
        """Return whether the record is a dead letter of the group."""
        place = record.coordinates, at.group
        return any(one.is_open and (one.coordinates, one.group) == place for one in self.answer.letters)

    def _letter(self, one: LetterPlace) -> Iterator[AnswerLine]:
        where = f"in group {one.group}{_which(one.event_id)}"
        if one.is_open:
            command = f"manage.py event_dead_letters replay {one.letter} --apply"
            text = f"Dead letter {one.coordinates} (number {one.letter}) {where}. To replay it:"
            yield AnswerLine(text=text, command=command, place=one)
        else:
            yield AnswerLine(text=f"A dead letter of {one.coordinates} {where} was here, and is gone.")
        for part in one.receivers:
            text = f"{part.receiver or 'Reading the record'}: {self._part(part, is_open=one.is_open)}."
            yield AnswerLine(text=text, is_detail=True)

    def _part(self, part: ReceiverPart, *, is_open: bool) -> str:
        when = self.time(part.changed)
        failed = f"failed after {part.attempts} attempts, the last {when}: {part.error or 'no reason is known'}"
        if part.state == EntryState.FAILED:
            return failed if is_open else f"{failed}; the letter was deleted since, nobody noted why"
        told = {
            EntryState.SUCCEEDED: f"succeeded {when}",
            EntryState.REPLACED: f"{part.stand_in} succeeded in its place {when}",
            EntryState.DISCARDED: f"discarded {when}, after {part.attempts} attempts",
            EntryState.EXPIRED: f"expired {when}: its letter was older than EVENT_BUS_KAFKA_RETENTION",
        }
        return told[EntryState(part.state)]

    def _mark(self, one: MarkPlace) -> AnswerLine:
        inbox = f"the inbox of database {one.database!r}"
        return AnswerLine(text=f"Received: {one.receiver} has had it {self.time(one.since)}, as {inbox} says.")

    def _gone(self, one: MaybeGone) -> AnswerLine:
        place = one.topic if one.partition is None else f"{one.topic}:{one.partition}"
        if one.offset is not None:
            begins, no_record = f"the partition begins at {one.start}", "there is no record any more"
            why = begins if one.loss is Loss.RETENTION else no_record
            return AnswerLine(text=f"Not there any more: it was {place}:{one.offset}, and {why}.")
        if one.loss is Loss.COMPACTION:
            why = f"topic {place} is compacted, and keeps the last record of a key alone"
        else:
            holds = (
                "holds no records" if one.start_time is None else f"begins with a record of {self.time(one.start_time)}"
            )
            why = f"{place} {holds}, at offset {one.start}; what was before is deleted"
        return AnswerLine(text=f"Maybe not there any more: {why}.")

    def _scanned(self) -> Iterator[AnswerLine]:
        scanned = self.answer.scanned
        for topic, group in groupby(sorted(scanned, key=lambda one: (one.topic, one.partition)), _topic_of):
            partitions = list(group)
            left = [one for one in partitions if not one.is_complete]
            offsets = sum(one.stop - one.start for one in partitions)
            yield AnswerLine(text=f"Looked at {offsets} offsets of topic {topic}, {'not ' * bool(left)}to its end.")
            yield from map(self._left, left)
        if left := [one for one in scanned if not one.is_complete]:
            question = self.answer.question
            text = f"{question.seconds:g} seconds were over after {self.answer.read} records. To go on:"
            yield AnswerLine(text=text, command=_how_to_go_on(question, left))

    def _left(self, one: Scanned) -> AnswerLine:
        upto = f", up to a record of {self.time(one.last_time)}" if one.last_time is not None else ""
        return AnswerLine(text=f"Partition {one.partition}: {one.stop} of {one.end}{upto}.", is_detail=True)


def _on(database: str) -> str:
    """Return the option ``--database`` of a command; empty for the default database."""
    return "" if database == DEFAULT_DB_ALIAS else f" --database {database}"


def _group(one: GroupPlace, *, has_letter: bool) -> AnswerLine:
    has = f"has committed offset {one.committed}"
    unread = f"{one.before} offset{'s' * (one.before != 1)} later" if one.before else "which is its next"
    letter = ", which became a dead letter" if has_letter else ""
    told = {
        Reached.BEYOND: f"{has}: it {'is past' if has_letter else 'has handled'} this record{letter}",
        Reached.BEHIND: f"{has}: it has not finished this record, {unread}",
        Reached.TAKEN: f"{has}: it will skip this record, which was quarantined",
        Reached.NOTHING: "has committed no offset for this partition, although it is to read the topic",
    }
    left = f"Its lag is {one.lag}." if one.lag else "None is left in this partition."
    return AnswerLine(text=f"Group {one.group} {told[one.reached]}. {left}", is_detail=True, place=one)


def _how_to_go_on(question: Question, left: Sequence[Scanned]) -> str:
    """
    Return the command with which an operator can continue the search: with ``--since`` if each partition has a
    ``last_time``, else with more ``--seconds``. In place of a key, which is personal data, the command contains
    ``KEY``.
    """
    event = "--key KEY" if question.event_id is None else str(question.event_id)
    topics = "".join(f" -t {quote(topic)}" for topic in question.topics)
    of_type = f" --event-type {quote(question.event_type)}" if question.event_type else ""
    times = [one.last_time for one in left if one.last_time is not None]
    longer = f"--since {_time(min(times))}" if len(times) == len(left) else f"--seconds {question.seconds * _LONGER:g}"
    return f"manage.py event_trace {event}{topics}{of_type} {longer}"


def _topic_of(one: Scanned) -> str:
    return one.topic


def _unseen(one: Unseen) -> AnswerLine:
    return AnswerLine(text=f"Not seen: {one.what}: {one.why.rstrip('.')}.")


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
