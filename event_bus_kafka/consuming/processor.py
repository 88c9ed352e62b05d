"""Makes one attempt at a record, on a lane: decodes the record, dispatches the event, and returns the outcome."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextvars import Context

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.consuming import reporting
from event_bus_kafka.consuming.dead_letter_limit import DeadLetterLimit
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.process_span import process_span
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress, Work
from event_bus_kafka.dead_letters.letter import Letter, Store
from event_bus_kafka.dispatching import cleanup, dispatch
from event_bus_kafka.dispatching.attempts import ALL_SUCCEEDED, NOTHING_YET, Attempt, Judgement, Past, judge
from event_bus_kafka.dispatching.dispatch import Failures, Receiver, failure_of, names_of
from event_bus_kafka.dispatching.event_context import event_context, keep_caches
from event_bus_kafka.dispatching.outages import STORE, outage_of
from event_bus_kafka.dispatching.outcomes import DONE, GiveUp, Hold, Outcome, Retry
from event_bus_kafka.dispatching.receiver_gate import Admission, ReceiverGate
from event_bus_kafka.dispatching.receiver_spans import dispatch_in_spans
from event_bus_kafka.dispatching.retry import RetryPolicies, RetryPolicy
from event_bus_kafka.errors import CircuitOpen, UnknownEventType
from event_bus_kafka.telemetry.health import Health, Obstacle
from event_bus_kafka.telemetry.monitoring import trace, transaction
from event_bus_kafka.telemetry.tracing import NO_SPAN, is_tracing
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.decoded_size import DECODED_BYTES
from event_bus_kafka.wire.deletion import record_deleted
from event_bus_kafka.wire.records import ConsumerRecord, Event

_STANDSTILL = 5.0
"""
Seconds until the next attempt in two cases. In the first case, the partition had too many dead letters in a row, so no
further dead letter is stored. In the second case, the worker is about to end, because the error limit is reached.
"""


@attrs.frozen(kw_only=True)
class Processor:
    """
    Makes an attempt at a delivery and returns its outcome: Done, Retry or Hold. If a record is given up, the outcome is
    Hold until its dead letter is stored, and Done afterwards. Thread-safe. Only ``gate``, ``flood``, ``error_limit``
    and ``health`` change.
    """

    group: str
    registry: serde.SchemaIds
    policies: RetryPolicies
    dead_letters: Store
    short_topic: Callable[[str], str]
    """Returns the name of a topic without the prefix that ``EVENT_BUS_TOPIC_PREFIX`` sets."""
    skip_unknown_types: bool = True
    decoded_bytes: int = DECODED_BYTES
    """Maximum number of bytes of memory that one decoded record may use."""
    connection_max_age: float = 60.0
    """Age in seconds at which a database connection is closed before the next attempt."""
    is_child_of_sender: bool = False
    """
    Whether an attempt's span is a child of the sender's span; the attempt's span has a link to the sender's span in any
    case.
    """
    receivers_of: Callable[[OpenEdxPublicSignal], list[Receiver]] = dispatch.receivers_of
    """Returns the receivers of a signal's events."""
    context: Callable[[], Context] = event_context
    """Returns a ``contextvars`` context for one attempt."""
    stored: Callable[[Letter, Exception], None] = reporting.stored
    """Reports that a dead letter is stored."""
    passed_over: Callable[[ConsumerRecord, str], None] = reporting.skipped
    """Reports that a record is skipped, and the reason."""
    gate: ReceiverGate = attrs.field(factory=ReceiverGate)
    flood: DeadLetterLimit = attrs.field(factory=DeadLetterLimit)
    error_limit: ErrorLimit = attrs.field(factory=ErrorLimit)
    health: Health = attrs.field(factory=Health)

    def process(self, delivery: Delivery) -> Outcome:
        """
        Make one attempt, or store the dead letter of a record that was given up. If the error limit is reached, only
        return a Hold. Does not catch SystemExit, KeyboardInterrupt and GeneratorExit. After one of these exceptions,
        the record remains unfinished.
        """
        if self.error_limit.failure:
            return Hold(self.error_limit.failure, _STANDSTILL)
        cleanup.prepare(self.connection_max_age)
        context = self.context()
        try:
            if is_tracing():
                return context.run(self._in_span, delivery)
            return context.run(transaction, "consumer.consume", self._process, delivery)
        finally:
            keep_caches(context)
            cleanup.clean()

    def _in_span(self, delivery: Delivery) -> Outcome:
        record = delivery.record
        assert record is not None
        is_received = self._is_received(record)
        with process_span(record, self.group, is_child=self.is_child_of_sender) if is_received else NO_SPAN:
            return transaction("consumer.consume", self._process, delivery)

    def _is_received(self, record: ConsumerRecord) -> bool:
        """
        Return whether the attempt gets a span. It gets a span if a receiver will get the record, or if the record
        cannot be read. Other records get no span, because there may be thousands of them.
        """
        try:
            signal = self._signal(record)
            return signal is not None and not _reason_to_skip(record, signal, self.receivers_of(signal))
        except Exception:  # noqa: BLE001 the attempt raises the same error, and judges it
            return True

    def _process(self, delivery: Delivery) -> Outcome:
        assert delivery.record is not None
        work = delivery.work or Work(delivery.record, delivery.is_early)
        partition = delivery.partition
        delivery.work = work
        outcome: Outcome | None = work.past.verdict
        if outcome is None:
            attempt = self._attempt(work)
            if attempt is ALL_SUCCEEDED and work.past is NOTHING_YET:
                return self._succeeded(work, partition)
            judged = judge(attempt, work.past, self._policy(work))
            self._act(attempt, judged, work, partition)
            outcome = judged.outcome
        return self._bury(outcome, work, partition) if isinstance(outcome, GiveUp) else outcome

    def _attempt(self, work: Work) -> Attempt:
        try:
            signal = self._signal(work.record)
            if signal is None:
                return Attempt(skipped="unregistered type")
            work.event_type = signal.event_type
            receivers = work.past.waiting
            if receivers is None:
                receivers = self.receivers_of(signal)
                if reason := _reason_to_skip(work.record, signal, receivers):
                    return Attempt(skipped=reason)
            event = self._event(work.record, signal)
            return self._dispatch(event, receivers, work)
        except Exception as error:  # noqa: BLE001 a record may fail in any way; the policy alone decides what that means
            return Attempt(error=error, away=outage_of(error))

    def _signal(self, record: ConsumerRecord) -> OpenEdxPublicSignal | None:
        if record.value is None:
            return record_deleted
        event_type = serde.event_type(record)
        signal = dispatch.registered_signal(event_type)
        if signal is None and not self.skip_unknown_types:
            raise UnknownEventType(event_type)
        return signal

    def _event(self, record: ConsumerRecord, signal: OpenEdxPublicSignal) -> Event:
        """
        Decode the event anew for each attempt, because receivers may have changed the data of the previous attempt's
        event.
        """
        if signal is record_deleted:
            topic = self.short_topic(record.topic)
            return serde.deserialize_tombstone(record, topic, self.registry, self.decoded_bytes)
        return serde.deserialize(record, signal, self.registry, self.decoded_bytes)

    def _dispatch(self, event: Event, receivers: list[Receiver], work: Work) -> Attempt:
        admission = self.gate.admit(receivers)
        try:
            reporting.received(work, event, admission.admitted)
            with trace("emit_signals_from_message"):
                to_all = dispatch_in_spans if is_tracing() else dispatch.dispatch
                failed = to_all(
                    event, admission.admitted, before_each=work.begin, after_each=cleanup.roll_back_leftovers
                )
        except BaseException:
            self.gate.ended(admission, names_of(admission.admitted), conclusive=False)
            raise
        reporting.ran(work, admission.admitted, failed)
        if failed or admission.held or admission.paused:
            return self._troubled(admission, failed, receivers, work)
        self.gate.ended(admission, ())
        return ALL_SUCCEEDED

    def _troubled(self, admission: Admission, failed: Failures, receivers: list[Receiver], work: Work) -> Attempt:
        away = outage_of(failure_of(failed)) if failed else ""
        names = [receiver.name for receiver, _ in failed]
        opened = self.gate.ended(admission, names, key=_identity(work.record), conclusive=not away)
        shut_out = [*admission.held, *(receiver for receiver, _ in failed if receiver.name in opened)]
        return Attempt(
            receivers=receivers,
            ran=bool(admission.admitted),
            failed=failed,
            held=admission.held,
            paused=admission.paused,
            opened=opened,
            probe_in=self.gate.delay(shut_out) if shut_out else 0.0,
            away=away,
        )

    def _act(self, attempt: Attempt, judged: Judgement, work: Work, partition: PartitionProgress) -> None:
        """Note and report the outcome of an attempt."""
        is_failure, outcome = judged.past.attempts > work.past.attempts, judged.outcome
        self._note(judged.past, work)
        if outcome is not DONE:
            cleanup.close_after_errors()
        if is_failure:
            self.error_limit.failed()
        elif attempt.ran and not attempt.failed:
            self.error_limit.succeeded()
            if judged.past.is_paused_only:
                self.flood.passed(partition)
        if attempt.skipped:
            self.passed_over(work.record, attempt.skipped)
        elif outcome is DONE:
            reporting.done(work)
        elif isinstance(outcome, (Retry, Hold)) and not isinstance(outcome.error, CircuitOpen):
            reporting.failed(work, outcome)  # an open circuit would log a line per event and probe

    def _succeeded(self, work: Work, partition: PartitionProgress) -> Outcome:
        """
        Note that all receivers succeeded at the first attempt. This usual case needs no :func:`judge`, which would take
        as long as a receiver.
        """
        self.error_limit.succeeded()
        self.flood.passed(partition)
        reporting.done(work)
        return DONE

    def _note(self, past: Past, work: Work) -> None:
        """
        Store the results of the attempts in ``work``. If the record now waits for a server, report the server as an
        obstacle to health. If the record no longer waits for a server, withdraw this obstacle.
        """
        before, work.past = work.past.away, past
        if past.away:
            self.health.begin(Obstacle.OUTAGE, past.away)
        if before and before != past.away:
            self.health.end(Obstacle.OUTAGE, before)

    def _bury(self, verdict: GiveUp, work: Work, partition: PartitionProgress) -> Outcome:
        """
        Store a dead letter and return Done. If no dead letter may be stored now, or storing fails, return a Hold. In
        each case, no receiver runs again for this record.
        """
        counts = not (work.past.given_up and work.past.is_paused_only)
        if self.error_limit.failure or (counts and not self.flood.admits(partition)):
            return Hold(verdict.error, _STANDSTILL)
        letter = Letter.of(
            work.record,
            group=self.group,
            error=verdict.error,
            attempts=work.past.attempts,
            attempts_of=work.past.failures,
        )
        try:
            self.dead_letters.store(letter)
        except Exception as error:  # noqa: BLE001 a store may be foreign code; after any error the offset must not move
            cleanup.close_after_errors()
            if counts:
                self.flood.take_back(partition)
            hold = Hold(error, self._policy(work).hold(work.past.holds))
            self._note(work.past.held_by(STORE), work)
            reporting.failed(work, hold)
            return hold
        self._note(attrs.evolve(work.past, away=""), work)
        self.stored(letter, verdict.error)
        return DONE

    def _policy(self, work: Work) -> RetryPolicy:
        return self.policies.policy(work.event_type, work.record.topic)


def _reason_to_skip(record: ConsumerRecord, signal: OpenEdxPublicSignal, receivers: list[Receiver]) -> str:
    """
    Return the reason why no receiver gets the event; an empty text if at least one receiver gets it. Reads only the
    record's headers.
    """
    if signal is record_deleted:
        return "" if receivers and record.key is not None else "tombstone"
    if not receivers:
        return "other receivers" if dispatch.receivers_of(signal) else "no receiver"
    return "" if dispatch.is_enabled(signal) else "signal disabled"


def _identity(record: ConsumerRecord) -> tuple[str, Hashable]:
    """Return topic and key, by which a circuit counts the failed keys; topic and offset if the record has no key."""
    return record.topic, record.offset if record.key is None else record.key
