"""The producer that openedx-events calls, one per process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from time import monotonic
from typing import Any, cast

from django.core.exceptions import SynchronousOnlyOperation
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import EventBusProducer
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import AppendFailed, DeliveryFailed, ManualTransaction
from event_bus_kafka.interruptions import interruption_in, let_through
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.outbox.transactions import after_commit
from event_bus_kafka.producing.clients import ProcessClients
from event_bus_kafka.producing.connecting import Connecting
from event_bus_kafka.producing.routing import Routing, SendingLimits
from event_bus_kafka.producing.send_span import in_trace, send_span
from event_bus_kafka.producing.shutdown import Shutdown
from event_bus_kafka.producing.spill import Spill
from event_bus_kafka.telemetry import emit, tallies
from event_bus_kafka.telemetry.events import EventRejected, EventUndelivered
from event_bus_kafka.telemetry.metrics import EVENTS_SENT
from event_bus_kafka.telemetry.tracing import is_tracing
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import EncodedEvent, Event

_MANY = 500
"""Maximum number of events that are encoded and handed over together when many events are sent at once."""


class KafkaEventProducer(EventBusProducer):
    """
    Sends events to Kafka.

    An event that cannot be sent never makes a method raise: EventRejected or EventUndelivered is emitted instead. Only
    exceptions that interrupt the thread pass through, such as SystemExit or an exception from the handler of a process
    signal.

    ``send`` waits for Kafka and the registry at most ``EVENT_BUS_KAFKA_SEND_TIMEOUT``. Each process makes its own
    clients when it first hands an event to Kafka, because a child process cannot use the clients of its parent. After a
    fatal error, the next such event makes new clients.
    """

    def __init__(
        self,
        *,
        routing: Routing,
        limits: SendingLimits,
        connect: Callable[[ProcessClients | None], ProcessClients],
        outbox: Outbox,
        spill: Spill,
        shutdown: Shutdown,
    ) -> None:
        self._routing = routing
        self.limits = limits
        self._connecting = Connecting(connect)
        self._outbox = outbox
        self.spill = spill
        self._shutdown = shutdown

    def send(
        self,
        *,
        signal: OpenEdxPublicSignal,
        topic: str,
        event_key_field: str,
        event_data: dict[str, Any],
        event_metadata: EventsMetadata,
    ) -> None:
        """
        Send an event to a topic, in the mode that is configured for the event type. If the event cannot be sent, emit
        EventRejected or EventUndelivered.

        ``topic``: without prefix. ``event_data``: one value per argument of the signal; each value is an object of the
        argument's attrs class, or a dict of JSON values. ``event_key_field``: dotted path into ``event_data``.
        """
        try:
            self._shutdown.begin()
            mode, database = self._routing.mode_of(signal.event_type, topic)
            full = self._routing.full_topic(topic)
            event = Event(signal=signal, data=event_data, metadata=event_metadata)
            if is_tracing():
                with send_span(full, signal.event_type, event_id=event_metadata.id) as span:
                    encoded = serde.encode(event, topic=full, key_field=event_key_field)
                    self._leave(in_trace(encoded, span), mode, database)
            else:
                self._leave(serde.encode(event, topic=full, key_field=event_key_field), mode, database)
        except Exception as error:  # noqa: BLE001 a request must not fail because of its events; every error becomes visible here
            _reject(signal, topic, str(event_metadata.id), error)

    def send_many(
        self,
        *,
        signal: OpenEdxPublicSignal,
        topic: str,
        event_key_field: str,
        events: Iterable[tuple[dict[str, Any], EventsMetadata]],
    ) -> None:
        """
        Send many events of one type, given as pairs of data and metadata. Errors of an event are handled as by
        :meth:`send`. If the iterator of ``events`` raises an exception, the exception is passed on.

        In mode ``outbox``, one INSERT appends hundreds of events.
        """
        self._shutdown.begin()
        remaining = iter(events)
        while batch := list(islice(remaining, _MANY)):
            self._send_batch(signal, topic, event_key_field, batch)

    def send_tombstone(self, *, signal: OpenEdxPublicSignal, topic: str, key: Any) -> None:
        """Send a tombstone, as :func:`~event_bus_kafka.send_tombstone` describes. Errors are handled as by ``send``."""
        metadata = signal.generate_signal_metadata()
        try:
            route = self._routing.route_of(signal.event_type, topic)
            if route.enabled:
                self._shutdown.begin()
                full = self._routing.full_topic(topic)
                with send_span(full, signal.event_type, event_id=metadata.id, is_tombstone=True) as span:
                    encoded = serde.encode_tombstone(signal, key, metadata, topic=full, key_field=route.key_field)
                    self._leave(in_trace(encoded, span), route.mode, route.database)
        except Exception as error:  # noqa: BLE001 as in send
            _reject(signal, topic, str(metadata.id), error)

    def _send_batch(
        self,
        signal: OpenEdxPublicSignal,
        topic: str,
        key_field: str,
        batch: list[tuple[dict[str, Any], EventsMetadata]],
    ) -> None:
        try:
            mode, database = self._routing.mode_of(signal.event_type, topic)
            full = self._routing.full_topic(topic)
        except Exception as error:  # noqa: BLE001 as in send
            _reject_all(signal, topic, [str(metadata.id) for _, metadata in batch], error)
            return
        encoded: list[EncodedEvent] = []
        with send_span(full, signal.event_type, count=len(batch)) as span:
            for data, metadata in batch:
                try:
                    event = Event(signal=signal, data=data, metadata=metadata)
                    encoded.append(in_trace(serde.encode(event, topic=full, key_field=key_field), span))
                except Exception as error:  # noqa: BLE001 as in send
                    _reject(signal, topic, str(metadata.id), error)
            tallies.add(EVENTS_SENT, (signal.event_type, mode), len(encoded))
            self._leave_together(encoded, signal, topic, mode, database)

    def _leave_together(
        self, encoded: list[EncodedEvent], signal: OpenEdxPublicSignal, topic: str, mode: str, database: str | None
    ) -> None:
        try:
            if mode == "outbox" and self._append(encoded, database):
                return
        except Exception as error:  # noqa: BLE001 as in send
            _reject_all(signal, topic, [one.event_id for one in encoded], error)
            return
        for one in encoded:
            try:
                self._leave_directly(one, mode, database)
            except Exception as error:  # noqa: BLE001 as in send
                _reject(signal, topic, one.event_id, error)

    def _leave(self, encoded: EncodedEvent, mode: str, database: str | None) -> None:
        tallies.add(EVENTS_SENT, (encoded.destination.event_type, mode))
        if mode != "outbox" or not self._append([encoded], database):
            self._leave_directly(encoded, mode, database)

    def _append(self, encoded: list[EncodedEvent], database: str | None) -> bool:
        try:
            return self._outbox.append_if_available(encoded, database, self._deliver)
        except SynchronousOnlyOperation:  # in an event loop: a thread appends
            self._shutdown.watch()
            self.spill.spill(encoded, None, database=database, otherwise=lambda one: self._deliver(one, database))
            self._shutdown.flush_late()
            return True

    def _leave_directly(self, encoded: EncodedEvent, mode: str, database: str | None) -> None:
        if mode == "immediate":
            self._deliver(encoded, database)
            return
        try:
            after_commit(partial(self._deliver, encoded), database=database)
        except ManualTransaction:  # Django has no hook for its commit, but a row commits with it
            if mode == "outbox" or not self._append([encoded], database):
                raise

    def prepare_for_shutdown(self) -> None:
        """
        Wait at most ``EVENT_BUS_KAFKA_DELIVERY_TIMEOUT`` until Kafka has confirmed all sent events, and do the periodic
        work of this process for the last time.

        Unconfirmed events are spilled. Events that the outbox has not taken within ``EVENT_BUS_KAFKA_SHUTDOWN_SPILL``
        are lost.
        """
        self._shutdown.confirm(monotonic() + self.limits.delivery_timeout)
        self.spill.finish(self.limits.shutdown_spill)
        self._shutdown.finish_periodic_work()

    def _deliver(self, encoded: EncodedEvent, database: str | None) -> None:
        deadline = sent_at = monotonic()
        try:
            deadline += self.limits.send_timeout
            self._hand_over(encoded, database, deadline)
        except BaseException as error:  # noqa: BLE001 no error of sending may reach the request
            stop = interruption_in(error) if isinstance(error, Exception) else error
            stopped = DeliveryFailed(error_codes.FAIL, f"the sending code was stopped by {type(error).__name__}")
            reason = cast("Exception", error) if stop is None else stopped
            otherwise = None if self._connecting.has_clients else partial(self._deliver_late, sent_at)
            self.spill.spill([encoded], reason, database=database, until=deadline, otherwise=otherwise)
            if stop is not None:
                raise stop from None
        self._shutdown.flush_late()

    def _deliver_late(self, sent_at: float, encoded: EncodedEvent) -> None:
        """
        Send an event that could not be sent before, because there were neither clients nor an outbox. If this fails,
        raise the error, so that the caller tries again. But if ``EVENT_BUS_KAFKA_DELIVERY_TIMEOUT`` has passed since
        ``sent_at`` (monotonic), emit EventUndelivered instead.
        """
        try:
            self._hand_over(encoded, None, monotonic() + self.limits.send_timeout)
        except Exception as error:
            if monotonic() - sent_at < self.limits.delivery_timeout:
                raise
            obstacle = AppendFailed("no client within EVENT_BUS_KAFKA_DELIVERY_TIMEOUT, and no outbox")
            emit(EventUndelivered(**encoded.names, error=error, obstacle=obstacle))
        self._shutdown.flush_late()

    def _hand_over(self, encoded: EncodedEvent, database: str | None, deadline: float) -> None:
        clients = self._connecting.clients
        if clients is None:
            self._shutdown.watch()  # before get(): an observer of its event may send
            clients = self._connecting.get(deadline)
        try:
            clients.produce(encoded, database, deadline)
        except DeliveryFailed as error:
            if not error.fatal:
                raise
            self._connecting.get(deadline, clients).produce(encoded, database, deadline)


def _reject_all(signal: OpenEdxPublicSignal, topic: str, event_ids: Iterable[str], error: Exception) -> None:
    for event_id in event_ids:
        _reject(signal, topic, event_id, error)


def _reject(signal: OpenEdxPublicSignal, topic: str, event_id: str, error: Exception) -> None:
    """
    Emit EventRejected for an event that cannot be sent. But if ``error`` comes from the handler of a process signal,
    raise ``error`` again.
    """
    let_through(error)
    emit(EventRejected(topic=topic, event_type=signal.event_type, event_id=event_id, error=error))
