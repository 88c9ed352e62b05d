"""One attempt at one record, on a lane: read it, dispatch it, and say how it ended."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from contextvars import Context

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.consuming import reporting
from event_bus_kafka.consuming.dead_letter_limit import DeadLetterLimit
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.outages import STORE, outage_of
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.consuming.work import Work
from event_bus_kafka.dead_letters.letter import Letter, Store
from event_bus_kafka.dispatching import cleanup, dispatch
from event_bus_kafka.dispatching.dispatch import Failures, Receiver
from event_bus_kafka.dispatching.outcomes import DONE, Failed, GiveUp, Hold, Outcome, Retry
from event_bus_kafka.dispatching.receiver_gate import Admission, ReceiverGate
from event_bus_kafka.dispatching.retry import RetryPolicies, RetryPolicy
from event_bus_kafka.errors import CircuitOpen, ReceiverPaused, UnknownEventType
from event_bus_kafka.telemetry.health import Health, Obstacle
from event_bus_kafka.telemetry.monitoring import trace
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.decoded_size import DECODED_BYTES
from event_bus_kafka.wire.deletion import record_deleted

Judged = list[tuple[Receiver, Failed]]

_STANDSTILL = 5.0
"""Seconds until a dead letter that is held for a flood, or a record of a worker that is about to end, is looked at."""


@attrs.frozen(kw_only=True)
class Processor:
    """
    Turns deliveries into outcomes: Done, Retry or Hold; a dead letter is Done once it is stored, and held until then.

    Called on several lanes at once; what it keeps is in ``gate``, ``flood`` and ``error_limit``.
    """

    group: str
    registry: serde.SchemaIds
    policies: RetryPolicies
    dead_letters: Store
    short_topic: Callable[[str], str]
    """Returns a topic's name without the prefix."""
    skip_unknown_types: bool = True
    decoded_bytes: int = DECODED_BYTES
    """The most memory that one record may become."""
    connection_max_age: float = 60.0
    """Seconds."""
    receivers_of: Callable[[OpenEdxPublicSignal], list[Receiver]] = dispatch.receivers_of
    """Who gets the events of a signal."""
    context: Callable[[], Context] = Context
    """Returns what one attempt runs in."""
    stored: Callable[[Work, Letter, Exception], None] = reporting.stored
    """Tells that a dead letter is stored."""
    gate: ReceiverGate = attrs.field(factory=ReceiverGate)
    flood: DeadLetterLimit = attrs.field(factory=DeadLetterLimit)
    error_limit: ErrorLimit = attrs.field(factory=ErrorLimit)
    health: Health = attrs.field(factory=Health)

    def process(self, delivery: Delivery) -> Outcome:
        """Make one attempt. What is no Exception passes through and leaves the record unfinished."""
        if self.error_limit.failure:
            return Hold(self.error_limit.failure, _STANDSTILL)
        assert delivery.record is not None
        work, partition = delivery.work or Work(delivery.record), delivery.partition
        delivery.work = work
        with trace("consumer.consume"):
            cleanup.prepare(self.connection_max_age)
            try:
                outcome = work.verdict or self.context().run(self._attempt, work, partition)
                if outcome is not DONE:
                    cleanup.close_after_errors()
                if isinstance(outcome, GiveUp):
                    outcome = self._bury(work, outcome, partition)
            finally:
                cleanup.clean()
        return outcome

    def _attempt(self, work: Work, partition: PartitionProgress) -> Outcome:
        try:
            if work.receivers is None:
                reason = self._prepare(work)
                if reason:
                    reporting.skipped(work.record, reason)
                    return DONE
            return self._dispatch(work, partition)
        except Exception as error:  # noqa: BLE001 a record may fail in any way; the policy alone decides what that means
            return self._failed(work, error)

    def _prepare(self, work: Work) -> str | None:
        """Find event and receivers; return the reason to skip the record, from its headers alone where possible."""
        record = work.record
        if record.value is None:
            return self._prepare_deletion(work)
        event_type = serde.event_type(record)
        signal = dispatch.registered_signal(event_type)
        if signal is None:
            if self.skip_unknown_types:
                return "unregistered type"
            raise UnknownEventType(event_type)
        receivers = self.receivers_of(signal)
        if not receivers:
            return "other receivers" if dispatch.receivers_of(signal) else "no receiver"
        if not dispatch.is_enabled(signal):
            return "signal disabled"
        work.event = serde.deserialize(record, signal, self.registry, self.decoded_bytes)
        work.receivers = receivers
        reporting.received(record, work.event)
        return None

    def _prepare_deletion(self, work: Work) -> str | None:
        record = work.record
        receivers = self.receivers_of(record_deleted)
        if not receivers or record.key is None:
            return "tombstone"
        work.event = serde.deserialize_tombstone(
            record, self.short_topic(record.topic), self.registry, self.decoded_bytes
        )
        work.receivers = receivers
        reporting.received(record, work.event)
        return None

    def _dispatch(self, work: Work, partition: PartitionProgress) -> Outcome:
        event, receivers = work.event, work.receivers
        assert event is not None
        assert receivers is not None
        admission = self.gate.admit(receivers)
        try:
            with trace("emit_signals_from_message"):
                failed = dispatch.dispatch(
                    event, admission.admitted, before_each=work.begin, after_each=cleanup.roll_back_leftovers
                )
        except BaseException:
            self.gate.ended(admission, _names(admission.admitted), conclusive=False)
            raise
        work.given_up += tuple((receiver, ReceiverPaused()) for receiver in admission.paused)
        judged = self._judged(work, admission, failed) if failed else []
        if not failed:
            self.gate.ended(admission, ())
            self._note_outage(work, "")
            self._note_success(work, admission, partition)
        if judged or admission.held or work.given_up:
            return self._outcome(work, admission.held, judged)
        reporting.done(work.record, event)
        return DONE

    def _note_success(self, work: Work, admission: Admission, partition: PartitionProgress) -> None:
        """All receivers that ran have succeeded; others may be held or paused."""
        if admission.admitted:
            self.error_limit.succeeded()
            if not work.given_up or _is_paused_only(work):
                self.flood.passed(partition)

    def _judged(self, work: Work, admission: Admission, failed: Failures) -> Judged:
        """Decide what follows for each receiver that failed."""
        away = outage_of(dispatch.failure_of(failed))
        is_open = self.gate.ended(
            admission, _names(receiver for receiver, _ in failed), key=_identity(work), conclusive=not away
        )
        policy, spent = self._policy(work), dict(work.failures)
        judged: Judged = []
        for receiver, error in failed:
            name, attempt = receiver.name, spent.get(receiver.name, 0) + 1
            outcome = policy.decide(
                error, attempt=attempt, holds=work.holds, is_outage=bool(away), is_open=name in is_open
            )
            if not isinstance(outcome, Hold):
                work.failures[name] = attempt
            judged.append((receiver, outcome))
        self._note_outage(work, away)
        self._count(work, *(outcome for _, outcome in judged))
        return judged

    def _outcome(self, work: Work, held: list[Receiver], judged: Judged) -> Outcome:
        """Combine what follows for each receiver: the event waits as long as one has still to succeed."""
        assert work.receivers is not None
        final = [(receiver, outcome.error) for receiver, outcome in judged if isinstance(outcome, GiveUp)]
        delays = [outcome.delay for _, outcome in judged if not isinstance(outcome, GiveUp)]
        retries = [outcome.delay for _, outcome in judged if isinstance(outcome, Retry)]
        waiting = [*held, *(receiver for receiver, outcome in judged if not isinstance(outcome, GiveUp))]
        work.given_up += tuple(final)
        work.receivers = [one for one in work.receivers if any(one is other for other in waiting)]
        if not waiting:
            return self._ended(work, GiveUp(dispatch.failure_of(list(work.given_up))))
        error = dispatch.failure_of([(receiver, outcome.error) for receiver, outcome in judged]) if judged else None
        if error and retries:
            return self._ended(work, Retry(error, max(retries)))
        delay = max(delays) if work.held_by else self.gate.delay(waiting)
        return self._ended(work, Hold(error or CircuitOpen(_names(waiting)), delay))

    def _failed(self, work: Work, error: Exception) -> Outcome:
        """Judge what concerns the record as a whole."""
        away = outage_of(error)
        outcome = self._policy(work).decide(error, attempt=work.attempts + 1, holds=work.holds, is_outage=bool(away))
        self._note_outage(work, away)
        self._count(work, outcome)
        return self._ended(work, outcome)

    def _ended(self, work: Work, outcome: Failed) -> Failed:
        if isinstance(outcome, GiveUp):
            work.verdict = outcome
        elif not isinstance(outcome.error, CircuitOpen):  # of which there would be a line per event and probe
            reporting.failed(work, outcome)
        return outcome

    def _count(self, work: Work, *outcomes: Failed) -> None:
        if not all(isinstance(outcome, Hold) for outcome in outcomes):
            work.attempts += 1
            work.holds = 0
            self.error_limit.failed()

    def _note_outage(self, work: Work, away: str) -> None:
        """Tell which server keeps a record waiting, or that the one that did is back."""
        if away:
            work.holds += 1
            self.health.begin(Obstacle.OUTAGE, away)
        if work.held_by and work.held_by != away:
            self.health.end(Obstacle.OUTAGE, work.held_by)
        work.held_by = away

    def _bury(self, work: Work, verdict: GiveUp, partition: PartitionProgress) -> Outcome:
        """Store a dead letter; as long as that fails the record waits, and no receiver runs again."""
        counts = not _is_paused_only(work)
        if self.error_limit.failure or (counts and not self.flood.admits(partition)):
            return Hold(verdict.error, _STANDSTILL)
        letter = Letter.of(work.record, group=self.group, error=verdict.error, attempts=work.attempts)
        try:
            self.dead_letters.store(letter)
        except Exception as error:  # noqa: BLE001 a store may be anybody's code; whatever it raises, the offset must not move
            cleanup.close_after_errors()
            if counts:
                self.flood.take_back(partition)
            hold = Hold(error, self._policy(work).hold(work.holds))
            self._note_outage(work, STORE)
            reporting.failed(work, hold)
            return hold
        self._note_outage(work, "")
        self.stored(work, letter, verdict.error)
        return DONE

    def _policy(self, work: Work) -> RetryPolicy:
        event_type = work.event.signal.event_type if work.event else ""
        return self.policies.policy(event_type, work.record.topic)


def _names(receivers: Iterable[Receiver]) -> list[str]:
    return [receiver.name for receiver in receivers]


def _identity(work: Work) -> tuple[str, Hashable]:
    """What failures of one event have in common with others of its key; records without a key: nothing."""
    record = work.record
    return record.topic, record.offset if record.key is None else record.key


def _is_paused_only(work: Work) -> bool:
    """A dead letter by the operator's will is none of a flood."""
    return bool(work.given_up) and all(isinstance(error, ReceiverPaused) for _, error in work.given_up)
