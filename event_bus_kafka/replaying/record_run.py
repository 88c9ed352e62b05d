"""Replays one record of a topic, on a lane."""

from __future__ import annotations

from collections.abc import Callable

from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Work
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dispatching.outcomes import Hold
from event_bus_kafka.errors import WorkerFailed
from event_bus_kafka.models import LetterState
from event_bus_kafka.operations.attempt import OneAttempt, Skipped, server_away
from event_bus_kafka.operations.dead_letters.report import failure_text
from event_bus_kafka.operations.record_replay import receivers_of, replaying
from event_bus_kafka.replaying.halts import Halt, HaltKind
from event_bus_kafka.replaying.read_records import ReadRecord, ReadRecords


class RecordRun:
    """Calls all receivers, or the named receiver, once for each record. There are no retries and no dead letters."""

    def __init__(self, processor: Processor, receiver: str, records: ReadRecords) -> None:
        self._attempt = OneAttempt(lambda _: replaying(processor))
        self._receiver = receiver or None
        self._records = records

    def run(self, requested: ReadRecord, began: Callable[[Work], None]) -> LetterState | Halt:
        """
        Replay a record, count its result, and return the result. Return a halt instead if a server is unavailable or a
        receiver asks to exit. Then no result is counted, and the record is replayed again if the request continues.
        """
        record = requested.record
        assert record is not None
        work = Work(record)
        began(work)
        try:
            outcome = self._attempt.make(work, lambda signal: receivers_of(signal, self._receiver))
        except WorkerFailed as failure:
            return Halt(HaltKind.STOPPED, f"{failure.reason} at {requested.coordinates}")
        if isinstance(outcome, Hold):
            return Halt(HaltKind.HELD, server_away(outcome).reason)
        state, error = _end(outcome)
        self._records.end(requested, state, error)
        return state


def _end(outcome: Letter | Skipped | None) -> tuple[LetterState, str]:
    if outcome is None:
        return LetterState.SUCCEEDED, ""
    if isinstance(outcome, Skipped):
        return LetterState.SKIPPED, outcome.reason
    return LetterState.FAILED, "; ".join(map(failure_text, outcome.failures))
