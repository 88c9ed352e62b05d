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
from event_bus_kafka.consuming.progress import Delivery
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
    stored: Callable[[Delivery, Letter, Exception], None] = reporting.stored
    """Tells that a dead letter is stored."""
    gate: ReceiverGate = attrs.field(factory=ReceiverGate)
    flood: DeadLetterLimit = attrs.field(factory=DeadLetterLimit)
    error_limit: ErrorLimit = attrs.field(factory=ErrorLimit)
    health: Health = attrs.field(factory=Health)

    def process(self, delivery: Delivery) -> Outcome:
        """Make one attempt. What is no Exception passes through and leaves the record unfinished."""
        if self.error_limit.failure:
            return Hold(self.error_limit.failure, _STANDSTILL)
        with trace("consumer.consume"):
            cleanup.prepare(self.connection_max_age)
            try:
                outcome = delivery.verdict or self.context().run(self._attempt, delivery)
                if outcome is not DONE:
                    cleanup.close_after_errors()
                if isinstance(outcome, GiveUp):
                    outcome = self._bury(delivery, outcome)
            finally:
                cleanup.clean()
        if outcome is DONE:
            delivery.forget_event()
        return outcome

    def _attempt(self, delivery: Delivery) -> Outcome:
        try:
            if delivery.receivers is None:
                reason = self._prepare(delivery)
                if reason:
                    reporting.skipped(delivery.record, reason)
                    return DONE
            return self._dispatch(delivery)
        except Exception as error:  # noqa: BLE001 a record may fail in any way; the policy alone decides what that means
            return self._failed(delivery, error)

    def _prepare(self, delivery: Delivery) -> str | None:
        """Find event and receivers; return the reason to skip the record, from its headers alone where possible."""
        record = delivery.record
        if record.value is None:
            return self._prepare_deletion(delivery)
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
        delivery.event = serde.deserialize(record, signal, self.registry, self.decoded_bytes)
        delivery.receivers = receivers
        reporting.received(record, delivery.event)
        return None

    def _prepare_deletion(self, delivery: Delivery) -> str | None:
        record = delivery.record
        receivers = self.receivers_of(record_deleted)
        if not receivers or record.key is None:
            return "tombstone"
        delivery.event = serde.deserialize_tombstone(
            record, self.short_topic(record.topic), self.registry, self.decoded_bytes
        )
        delivery.receivers = receivers
        reporting.received(record, delivery.event)
        return None

    def _dispatch(self, delivery: Delivery) -> Outcome:
        event, receivers = delivery.event, delivery.receivers
        assert event is not None
        assert receivers is not None
        admission = self.gate.admit(receivers)
        try:
            with trace("emit_signals_from_message"):
                failed = dispatch.dispatch(
                    event, admission.admitted, before_each=delivery.begin, after_each=cleanup.roll_back_leftovers
                )
        except BaseException:
            self.gate.ended(admission, _names(admission.admitted), conclusive=False)
            raise
        delivery.given_up += tuple((receiver, ReceiverPaused()) for receiver in admission.paused)
        judged = self._judged(delivery, admission, failed) if failed else []
        if not failed:
            self.gate.ended(admission, ())
            self._note_outage(delivery, "")
            self._note_success(delivery, admission)
        if judged or admission.held or delivery.given_up:
            return self._outcome(delivery, admission.held, judged)
        reporting.done(delivery.record, event)
        return DONE

    def _note_success(self, delivery: Delivery, admission: Admission) -> None:
        """All receivers that ran have succeeded; others may be held or paused."""
        if admission.admitted:
            self.error_limit.succeeded()
            if not delivery.given_up or _is_paused_only(delivery):
                self.flood.passed(delivery.partition)

    def _judged(self, delivery: Delivery, admission: Admission, failed: Failures) -> Judged:
        """Decide what follows for each receiver that failed."""
        away = outage_of(dispatch.failure_of(failed))
        is_open = self.gate.ended(
            admission, _names(receiver for receiver, _ in failed), key=_identity(delivery), conclusive=not away
        )
        policy, spent = self._policy(delivery), dict(delivery.failures)
        judged: Judged = []
        for receiver, error in failed:
            name, attempt = receiver.name, spent.get(receiver.name, 0) + 1
            outcome = policy.decide(
                error, attempt=attempt, holds=delivery.holds, is_outage=bool(away), is_open=name in is_open
            )
            if not isinstance(outcome, Hold):
                delivery.failures[name] = attempt
            judged.append((receiver, outcome))
        self._note_outage(delivery, away)
        self._count(delivery, *(outcome for _, outcome in judged))
        return judged

    def _outcome(self, delivery: Delivery, held: list[Receiver], judged: Judged) -> Outcome:
        """Combine what follows for each receiver: the event waits as long as one has still to succeed."""
        assert delivery.receivers is not None
        final = [(receiver, outcome.error) for receiver, outcome in judged if isinstance(outcome, GiveUp)]
        delays = [outcome.delay for _, outcome in judged if not isinstance(outcome, GiveUp)]
        retries = [outcome.delay for _, outcome in judged if isinstance(outcome, Retry)]
        waiting = [*held, *(receiver for receiver, outcome in judged if not isinstance(outcome, GiveUp))]
        delivery.given_up += tuple(final)
        delivery.receivers = [one for one in delivery.receivers if any(one is other for other in waiting)]
        if not waiting:
            return self._ended(delivery, GiveUp(dispatch.failure_of(list(delivery.given_up))))
        error = dispatch.failure_of([(receiver, outcome.error) for receiver, outcome in judged]) if judged else None
        if error and retries:
            return self._ended(delivery, Retry(error, max(retries)))
        delay = max(delays) if delivery.held_by else self.gate.delay(waiting)
        return self._ended(delivery, Hold(error or CircuitOpen(_names(waiting)), delay))

    def _failed(self, delivery: Delivery, error: Exception) -> Outcome:
        """Judge what concerns the record as a whole."""
        away = outage_of(error)
        outcome = self._policy(delivery).decide(
            error, attempt=delivery.attempts + 1, holds=delivery.holds, is_outage=bool(away)
        )
        self._note_outage(delivery, away)
        self._count(delivery, outcome)
        return self._ended(delivery, outcome)

    def _ended(self, delivery: Delivery, outcome: Failed) -> Failed:
        if isinstance(outcome, GiveUp):
            delivery.verdict = outcome
        elif not isinstance(outcome.error, CircuitOpen):  # of which there would be a line per event and probe
            reporting.failed(delivery, outcome)
        return outcome

    def _count(self, delivery: Delivery, *outcomes: Failed) -> None:
        if not all(isinstance(outcome, Hold) for outcome in outcomes):
            delivery.attempts += 1
            delivery.holds = 0
            self.error_limit.failed()

    def _note_outage(self, delivery: Delivery, away: str) -> None:
        """Tell which server keeps a record waiting, or that the one that did is back."""
        if away:
            delivery.holds += 1
            self.health.begin(Obstacle.OUTAGE, away)
        if delivery.held_by and delivery.held_by != away:
            self.health.end(Obstacle.OUTAGE, delivery.held_by)
        delivery.held_by = away

    def _bury(self, delivery: Delivery, verdict: GiveUp) -> Outcome:
        """Store a dead letter; as long as that fails the record waits, and no receiver runs again."""
        counts = not _is_paused_only(delivery)
        if self.error_limit.failure or (counts and not self.flood.admits(delivery.partition)):
            return Hold(verdict.error, _STANDSTILL)
        letter = Letter.of(delivery.record, group=self.group, error=verdict.error, attempts=delivery.attempts)
        try:
            self.dead_letters.store(letter)
        except Exception as error:  # noqa: BLE001 a store may be anybody's code; whatever it raises, the offset must not move
            cleanup.close_after_errors()
            if counts:
                self.flood.take_back(delivery.partition)
            hold = Hold(error, self._policy(delivery).hold(delivery.holds))
            self._note_outage(delivery, STORE)
            reporting.failed(delivery, hold)
            return hold
        self._note_outage(delivery, "")
        self.stored(delivery, letter, verdict.error)
        return DONE

    def _policy(self, delivery: Delivery) -> RetryPolicy:
        event_type = delivery.event.signal.event_type if delivery.event else ""
        return self.policies.policy(event_type, delivery.record.topic)


def _names(receivers: Iterable[Receiver]) -> list[str]:
    return [receiver.name for receiver in receivers]


def _identity(delivery: Delivery) -> tuple[str, Hashable]:
    """What failures of one event have in common with others of its key; records without a key: nothing."""
    record = delivery.record
    return record.topic, record.offset if record.key is None else record.key


def _is_paused_only(delivery: Delivery) -> bool:
    """A dead letter by the operator's will is none of a flood."""
    return bool(delivery.given_up) and all(isinstance(error, ReceiverPaused) for _, error in delivery.given_up)
