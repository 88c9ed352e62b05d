"""Chooses the offset at which a search begins in each partition."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from event_bus_kafka.errors import BrokerError, EventBusError, NotThere
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.offsets import Partition, Range
from event_bus_kafka.kafka.scanner import Scanner
from event_bus_kafka.operations.group_offsets import Named, Target, partitions_of
from event_bus_kafka.operations.records import ranges
from event_bus_kafka.operations.whereabouts.answer import Loss, MaybeGone, Question
from event_bus_kafka.operations.whereabouts.gathered import BrokerFindings
from event_bus_kafka.trouble import Trouble

_CLOCKS = 60_000
"""
Number of milliseconds before the time in the event id at which the search begins. The sender's clock, which set that
time, may be ahead of the clock that set the record's timestamp.
"""


def ranges_to_scan(
    scanner: Scanner,
    question: Question,
    topics: Collection[str],
    places: Mapping[Partition, int],
    findings: BrokerFindings,
) -> dict[Partition, Range]:
    """
    Return partition → offsets to search. ``places``: partition → the offset at which a dead letter says that the event
    is; only this offset is searched there. In addition, the topics and partitions that the question names are searched.
    If the question names none, all ``topics`` (full names) without a partition in ``places`` are searched instead.
    Partitions that cannot be read, and deleted records, are noted in ``findings``.

    Raises :class:`NotThere` if a topic that the question names does not exist. Raises :class:`BrokerError` if a broker
    does not answer.
    """
    found: dict[Partition, Range] = {}
    for name, offset in places.items():
        found |= _range_at(scanner, name, offset, findings)
    known = {topic for topic, _ in places}
    for topic in question.topics or sorted(set(topics) - known):
        for name, offsets in _range_of(scanner, topic, question, findings).items():
            found.setdefault(name, offsets)
    return found


def _range_at(scanner: Scanner, name: Partition, offset: int, findings: BrokerFindings) -> dict[Partition, Range]:
    """
    Return partition → range that contains only ``offset``. The mapping is empty if the partition no longer has this
    offset, or cannot be read. ``offset``: the event's offset according to a dead letter.
    """
    topic, partition = name
    try:
        if name not in partitions_of(scanner, [Named(topic)]):
            raise NotThere(f"Topic {topic} has no partition {partition} any more.")
        there = scanner.range_of(name, timeout=scanner.timeout)
    except EventBusError as error:
        _note(f"topic {topic}", error, findings)
        return {}
    if there.start <= offset < there.end:
        return {name: Range(offset, offset + 1)}
    gone = MaybeGone(topic=topic, partition=partition, loss=Loss.RETENTION, offset=offset, start=there.start)
    findings.gone.append(gone)
    return {}


def _range_of(scanner: Scanner, topic: str, question: Question, findings: BrokerFindings) -> dict[Partition, Range]:
    since = _since(question)
    start = Target(earliest=True) if since is None else Target(time=since)
    try:
        return ranges(scanner, partitions_of(scanner, [Named.parse(topic)]), start, Target())
    except EventBusError as error:
        if question.topics and isinstance(error, NotThere):
            raise
        _note(f"topic {topic}", error, findings)
        return {}


def _since(question: Question) -> int | None:
    if question.since is not None or question.emitted is None:
        return question.since
    return max(question.emitted - _CLOCKS, 0)


def _note(what: str, error: EventBusError, findings: BrokerFindings) -> None:
    is_away = isinstance(error, BrokerError) and (
        error.kind is Trouble.UNREACHABLE or error.code == error_codes.TIMED_OUT
    )
    if is_away:
        raise error  # each further topic would wait for the whole time limit of a request
    findings.not_seen(what, error)
