"""Finds reasons why Kafka may have deleted an event that a search did not find."""

from __future__ import annotations

from collections.abc import Mapping

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.admin import Admin
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.kafka.scanner import Scanner
from event_bus_kafka.operations.whereabouts.answer import Loss, MaybeGone, Question, Scanned
from event_bus_kafka.operations.whereabouts.gathered import BrokerFindings


def note_losses(
    scanner: Scanner, admin: Admin, question: Question, places: Mapping[Partition, int], findings: BrokerFindings
) -> None:
    """
    Note in ``findings`` where Kafka may have deleted the event: compacted topics, offsets in ``places`` that no longer
    have a record, and partitions whose first records are deleted. Such a partition is noted only if the event may have
    been among its deleted records. ``places``: partition → the event's offset according to a dead letter. Raises
    :class:`BrokerError`.
    """
    compacted = _compacted(scanner, admin, {one.topic for one in findings.scanned}, findings)
    for one in findings.scanned:
        name = one.topic, one.partition
        if name in places and one.is_complete:
            gone = MaybeGone(topic=one.topic, partition=one.partition, loss=Loss.COMPACTION, offset=places[name])
            findings.gone.append(gone)
        elif name not in places:
            _note_later_start(scanner, one, question, findings)
    known = {topic for topic, _ in places}
    findings.gone += [
        MaybeGone(topic=topic, partition=None, loss=Loss.COMPACTION) for topic in sorted(compacted - known)
    ]


def _note_later_start(scanner: Scanner, scanned: Scanned, question: Question, findings: BrokerFindings) -> None:
    name = scanned.topic, scanned.partition
    start = scanner.range_of(name, timeout=scanner.timeout).start
    if not 0 < scanned.start <= start:
        return  # no record was deleted, or records from before the event are still there
    time = scanner.states[name].first_time
    if time is None or question.emitted is None or question.emitted < time:
        gone = MaybeGone(
            topic=scanned.topic, partition=scanned.partition, loss=Loss.RETENTION, start=start, start_time=time
        )
        findings.gone.append(gone)


def _compacted(scanner: Scanner, admin: Admin, topics: set[str], findings: BrokerFindings) -> set[str]:
    found: set[str] = set()
    try:
        admin.require_controller(timeout=scanner.timeout)  # the sandbox has no controller, and compacts nothing
    except BrokerError as error:
        findings.not_seen("whether topics are compacted", error)
        return found
    for topic, options in admin.topic_options(sorted(topics), timeout=scanner.timeout).items():
        if isinstance(options, BrokerError):
            findings.not_seen(f"whether topic {topic} is compacted", options)
        elif "compact" in options.get("cleanup.policy", ""):
            found.add(topic)
    return found
