"""Emits the lifecycle events of a record's attempts, with the record's coordinates."""

from __future__ import annotations

from time import perf_counter, time
from typing import Any

from event_bus_kafka.consuming.progress import Work
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dispatching.dispatch import Failures, Receiver
from event_bus_kafka.dispatching.outcomes import Hold, Retry
from event_bus_kafka.dispatching.replay_context import is_replay
from event_bus_kafka.telemetry import emit, is_wanted, tallies
from event_bus_kafka.telemetry.events import (
    AttemptFailed,
    DeadLetterStored,
    RecordDone,
    RecordReceived,
    RecordRetried,
    RecordSkipped,
    ReplayFailed,
)
from event_bus_kafka.telemetry.metrics import RECORDS_RETRIED
from event_bus_kafka.telemetry.record_tallies import RecordTallies
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import ConsumerRecord, Event

_OF_TYPES = frozenset({"unregistered type", "no receiver", "other receivers", "signal disabled"})
"""
Reasons to skip a record because of its event type. RecordSkipped contains the event type only if its reason is one of
these.
"""


def received(work: Work, event: Event, admitted: list[Receiver]) -> None:
    """
    Emit RecordReceived before the first dispatch of an event, and RecordRetried before each further dispatch. Count a
    further dispatch as a retry only if it calls a receiver and an earlier dispatch has called one.
    """
    record = work.record
    work.event_id, work.sent_at = event.event_id, event.metadata.time
    work.tallies = sums = tallies.kept(RecordTallies, work.event_type)
    if work.past.waiting is not None:
        if admitted and work.running is not None:
            tallies.add(RECORDS_RETRIED, (work.event_type,))
        emit(RecordRetried(**_names(record, work.event_type, work.event_id)))
        return
    sums.received.count += 1
    if is_wanted(RecordReceived):
        emit(
            RecordReceived(record.topic, record.partition, record.offset, work.event_type, work.event_id, work.is_early)
        )


def ran(work: Work, receivers: list[Receiver], failed: Failures) -> None:
    """
    Count an attempt's calls of receivers, and add up their durations. Call this function after all the receivers have
    ended.
    """
    assert work.tallies is not None
    end = perf_counter()
    for receiver in reversed(receivers):
        began = work.turns.pop()
        has_failed = bool(failed) and any(one is receiver for one, _ in failed)
        work.tallies.of_calls(receiver.call, receiver, has_failed).take(end - began)
        end = began


def done(work: Work) -> None:
    """Emit RecordDone, because every receiver has succeeded. Count the event's latency, unless it is replayed."""
    record = work.record
    if work.tallies is not None and work.sent_at is not None and not is_replay():  # replays are of old records
        seconds = time() - work.sent_at.timestamp()
        work.tallies.latency.take(seconds if seconds > 0.0 else 0.0)  # the clocks of two hosts may differ
    if is_wanted(RecordDone):
        emit(RecordDone(record.topic, record.partition, record.offset, work.event_type, work.event_id))


def skipped(record: ConsumerRecord, reason: str) -> None:
    """Emit RecordSkipped for ``record``."""
    event_type = serde.event_type(record) if reason in _OF_TYPES else ""
    emit(
        RecordSkipped(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_type=event_type,
            reason=reason,
        )
    )


def failed(work: Work, outcome: Retry | Hold) -> None:
    """Emit AttemptFailed, with the delay until the next attempt."""
    record = work.record
    emit(
        AttemptFailed(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_type=work.event_type,
            event_id=work.event_id,
            error=outcome.error,
            attempt=work.past.attempts,
            outcome="retry" if isinstance(outcome, Retry) else "hold",
            delay=outcome.delay,
        )
    )


def stored(letter: Letter, error: Exception) -> None:
    """Emit DeadLetterStored for ``letter``. ``error``: the reason why the record became a dead letter."""
    names = _names(letter.record, letter.event_type, letter.event_id)
    emit(DeadLetterStored(**names, error=error, attempts=letter.attempts))


def replay_failed(letter: Letter, error: Exception) -> None:
    """Emit ReplayFailed for the record of ``letter``."""
    emit(ReplayFailed(**_names(letter.record, letter.event_type, letter.event_id), error=error))


def _names(record: ConsumerRecord, event_type: str, event_id: str) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "event_type": event_type,
        "event_id": event_id,
    }
