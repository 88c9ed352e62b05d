"""One attempt at one record, on a lane: read it, dispatch it, and say how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.consuming import dispatch, state
from event_bus_kafka.consuming.dead_letters.letter import Letter, Store
from event_bus_kafka.consuming.dispatch import Receiver
from event_bus_kafka.consuming.outage import is_outage
from event_bus_kafka.consuming.outcomes import DONE, DeadLetter, Hold, Outcome, Retry
from event_bus_kafka.consuming.progress import Delivery
from event_bus_kafka.consuming.retry import RetryPolicies, RetryPolicy
from event_bus_kafka.errors import UnknownEventType
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import (
    AttemptFailed,
    DeadLetterStored,
    RecordDone,
    RecordReceived,
    RecordSkipped,
)
from event_bus_kafka.telemetry.monitoring import trace
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import ConsumerRecord, Event

_OF_TYPES = frozenset({"unregistered type", "no receiver", "signal disabled"})
"""Reasons to skip a record that concern its event type."""


class ErrorStreak:
    """Failed attempts in a row, over all lanes; an attempt that succeeds ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.length = 0

    def failed(self) -> None:
        with self._lock:
            self.length += 1

    def succeeded(self) -> None:
        self.length = 0


@attrs.frozen(kw_only=True)
class Processor:
    """
    Turns deliveries into outcomes: Done, Retry or Hold; a dead letter is Done once it is stored, and held until then.

    Called on several lanes at once; it keeps nothing but the streak of errors.
    """

    group: str
    registry: serde.SchemaIds
    policies: RetryPolicies
    dead_letters: Store
    skip_unknown_types: bool = True
    connection_max_age: float = 60.0
    """Seconds."""
    receivers_of: Callable[[OpenEdxPublicSignal], list[Receiver]] = dispatch.receivers_of
    """Who gets the events of a signal."""
    streak: ErrorStreak = attrs.field(factory=ErrorStreak)

    def process(self, delivery: Delivery) -> Outcome:
        """Make one attempt. What is no Exception passes through and leaves the record unfinished."""
        with trace("consumer.consume"):
            state.prepare(self.connection_max_age)
            try:
                outcome = delivery.verdict or Context().run(self._attempt, delivery)
                if isinstance(outcome, DeadLetter):
                    outcome = self._bury(delivery, outcome)
            finally:
                state.clean()
        return outcome

    def _attempt(self, delivery: Delivery) -> Outcome:
        try:
            if delivery.receivers is None:
                reason = self._prepare(delivery)
                if reason:
                    skipped(delivery.record, reason)
                    return DONE
            self._dispatch(delivery)
        except Exception as error:  # noqa: BLE001 a record may fail in any way; the policy alone decides what that means
            return self._failed(delivery, error)
        self.streak.succeeded()
        return DONE

    def _dispatch(self, delivery: Delivery) -> None:
        event, receivers = delivery.event, delivery.receivers
        assert event is not None
        assert receivers is not None
        with trace("emit_signals_from_message"):
            failed = dispatch.dispatch(
                event, receivers, before_each=delivery.begin, after_each=state.roll_back_leftovers
            )
        if failed or delivery.given_up:
            final = self._policy(delivery).is_final
            delivery.given_up += tuple((receiver, error) for receiver, error in failed if final(error))
            again = [(receiver, error) for receiver, error in failed if not final(error)]
            delivery.receivers = [receiver for receiver, _ in again]
            raise dispatch.failure_of([*delivery.given_up, *again])
        _done(delivery.record, event)

    def _prepare(self, delivery: Delivery) -> str | None:
        """Find event and receivers; return the reason to skip the record, from its headers alone where possible."""
        record = delivery.record
        if record.value is None:
            return "tombstone"
        event_type = serde.event_type(record)
        signal = dispatch.registered_signal(event_type)
        if signal is None:
            if self.skip_unknown_types:
                return "unregistered type"
            raise UnknownEventType(event_type)
        receivers = self.receivers_of(signal)
        if not receivers or not dispatch.is_enabled(signal):
            return "no receiver" if not receivers else "signal disabled"
        delivery.event = serde.deserialize(record, signal, self.registry)
        delivery.receivers = receivers
        _received(record, delivery.event)
        return None

    def _failed(self, delivery: Delivery, error: Exception) -> Outcome:
        policy = self._policy(delivery)
        outcome = policy.decide(error, attempt=delivery.attempts + 1, holds=delivery.holds, is_outage=is_outage(error))
        if isinstance(outcome, Hold):
            delivery.holds += 1
        else:
            delivery.attempts += 1
            delivery.holds = 0
            self.streak.failed()
        if isinstance(outcome, DeadLetter):
            delivery.verdict = outcome
        else:
            _report(delivery, outcome)
        return outcome

    def _bury(self, delivery: Delivery, verdict: DeadLetter) -> Outcome:
        """Store a dead letter; as long as that fails the record waits, and no receiver runs again."""
        letter = Letter.of(delivery.record, group=self.group, error=verdict.error, attempts=delivery.attempts)
        try:
            self.dead_letters.store(letter)
        except Exception as error:  # noqa: BLE001 a store may be anybody's code; whatever it raises, the offset must not move
            hold = Hold(error, self._policy(delivery).hold(delivery.holds))
            delivery.holds += 1
            _report(delivery, hold)
            return hold
        _stored(delivery, letter, verdict.error)
        return DONE

    def _policy(self, delivery: Delivery) -> RetryPolicy:
        event_type = delivery.event.metadata.event_type if delivery.event else ""
        return self.policies.policy(event_type, delivery.record.topic)


def _received(record: ConsumerRecord, event: Event) -> None:
    emit(
        RecordReceived(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_type=event.metadata.event_type,
            event_id=str(event.metadata.id),
        )
    )


def _done(record: ConsumerRecord, event: Event) -> None:
    emit(
        RecordDone(
            topic=record.topic, partition=record.partition, offset=record.offset, event_type=event.metadata.event_type
        )
    )


def skipped(record: ConsumerRecord, reason: str) -> None:
    """Tell that a record is passed over."""
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


def _report(delivery: Delivery, outcome: Retry | Hold) -> None:
    record = delivery.record
    emit(
        AttemptFailed(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_type=delivery.event.metadata.event_type if delivery.event else "",
            error=outcome.error,
            attempt=delivery.attempts,
            outcome="retry" if isinstance(outcome, Retry) else "hold",
            delay=outcome.delay,
        )
    )


def _stored(delivery: Delivery, letter: Letter, error: Exception) -> None:
    record = letter.record
    emit(
        DeadLetterStored(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_type=letter.event_type,
            event_id=letter.event_id,
            error=error,
            attempts=delivery.attempts,
        )
    )
