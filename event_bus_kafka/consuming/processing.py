"""One attempt at one record, on a lane: read it, dispatch it, and say how it ended."""

from __future__ import annotations

import threading

import attrs

from event_bus_kafka.consuming import dispatch, state
from event_bus_kafka.consuming.outcomes import DONE, DeadLetter, Hold, Outcome, Retry
from event_bus_kafka.consuming.progress import Delivery
from event_bus_kafka.consuming.retry import RetryPolicy
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import AttemptFailed, RecordDone, RecordReceived, RecordSkipped
from event_bus_kafka.telemetry.monitoring import trace
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import ConsumerRecord, Event


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


@attrs.frozen
class Processor:
    """Turns deliveries into outcomes. Called on several lanes at once; it keeps nothing but the streak of errors."""

    registry: serde.SchemaIds
    policy: RetryPolicy
    streak: ErrorStreak = attrs.field(factory=ErrorStreak)

    def process(self, delivery: Delivery) -> Outcome:
        """Make one attempt. What is no Exception passes through and leaves the record unfinished."""
        with trace("consumer.consume"):
            try:
                self._attempt(delivery)
            except Exception as error:  # noqa: BLE001 a record may fail in any way; the policy alone decides what that means
                return self._failed(delivery, error)
            finally:
                state.clean()
        self.streak.succeeded()
        return DONE

    def _attempt(self, delivery: Delivery) -> None:
        if delivery.receivers is None:
            reason = self._prepare(delivery)
            if reason:
                _skipped(delivery.record, reason)
                return
        event, receivers = delivery.event, delivery.receivers
        assert event is not None
        assert receivers is not None
        with trace("emit_signals_from_message"):
            failed = dispatch.dispatch(event, receivers)
        if failed:
            delivery.receivers = [receiver for receiver, _ in failed]
            raise dispatch.failure_of(failed)
        _done(delivery.record, event)

    def _prepare(self, delivery: Delivery) -> str | None:
        """Find event and receivers; return the reason to skip the record, from its headers alone where possible."""
        record = delivery.record
        if record.value is None:
            return "tombstone"
        signal = dispatch.registered_signal(serde.event_type(record))
        if signal is None:
            return "unregistered type"
        receivers = dispatch.receivers_of(signal)
        if not receivers or not dispatch.is_enabled(signal):
            return "no receiver" if not receivers else "signal disabled"
        delivery.event = serde.deserialize(record, signal, self.registry)
        delivery.receivers = receivers
        _received(record, delivery.event)
        return None

    def _failed(self, delivery: Delivery, error: Exception) -> Outcome:
        self.streak.failed()
        outcome = self.policy.decide(error, delivery.attempts + 1)
        if isinstance(outcome, Hold):
            delivery.holds += 1
            outcome = Hold(error, self.policy.delay(delivery.holds))
        else:
            delivery.attempts += 1
            delivery.holds = 0
        if isinstance(
            outcome, DeadLetter
        ):  # nowhere to put it: it waits with its key, and nothing is committed past it
            outcome = Hold(error, self.policy.delay(delivery.attempts))
        assert isinstance(outcome, (Retry, Hold))
        _report(delivery, outcome)
        return outcome


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


def _skipped(record: ConsumerRecord, reason: str) -> None:
    event_type = "" if reason == "tombstone" else serde.event_type(record)
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
