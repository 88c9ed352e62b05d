"""This process's clients for Kafka and for the schema registry."""

from __future__ import annotations

import os
import threading
from enum import IntEnum
from functools import partial
from time import monotonic, sleep
from typing import Any

import attrs

from event_bus_kafka.errors import DeliveryFailed
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.producer import Producer, QueueFull, delivery_failure, reach
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.producing.inherited import keep_for_ever, remember
from event_bus_kafka.producing.spill import Spill
from event_bus_kafka.telemetry import emit, tallies
from event_bus_kafka.telemetry.events import RecordDelivered
from event_bus_kafka.telemetry.guards import kept_alive, stumbled
from event_bus_kafka.telemetry.metrics import EVENTS_DELIVERED
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import EncodedEvent, ProducerRecord

_ROOM_EVERY = 0.005
"""Seconds between two checks whether a full queue has room."""


class Phase(IntEnum):
    """
    The phase of the clients, which decides who polls for their delivery reports. The clients never return to an earlier
    phase.

        OPEN ─── retire() ──→ RETIRING ─── leave() ──→ LEFT
          └─────────────────── leave() ─────────────────┘

    OPEN: the clients' thread polls. RETIRING: the clients take no more events, because the Kafka client has failed for
    good or was given up. The thread polls until all events are reported, and ends. LEFT: the process is ending. Each
    caller of a flush polls; clients that were OPEN before still take events.
    """

    OPEN = 1
    RETIRING = 2
    LEFT = 3


@attrs.define(eq=False)
class ProcessClients:
    """A process's clients for Kafka and the registry, and the thread that polls for delivery reports."""

    registry: SchemaRegistry
    producer: Producer
    _poll_interval: float
    """Seconds between two polls for delivery reports."""
    _spill: Spill
    pid: int = attrs.field(factory=os.getpid)
    phase: Phase = Phase.OPEN
    is_away: bool = False
    """
    Whether Kafka did not answer in time and has confirmed nothing since. While this is True, no caller waits for room
    in the queue.
    """
    unreported: dict[int, tuple[EncodedEvent, str | None]] = attrs.field(factory=dict)
    """
    ``id()`` of an event without a delivery report → the event, and the alias of the database whose outbox gets the
    event if Kafka fails.
    """
    _thread: threading.Thread | None = None
    _lock: Any = attrs.field(factory=threading.RLock)
    _framer: serde.Framer = attrs.field(
        default=attrs.Factory(lambda self: serde.Framer(self.registry), takes_self=True)
    )
    _wanted: threading.Event = attrs.field(factory=threading.Event)
    """Wakes the polling thread. Set by callers who wait for room in the client's queue, and by each change of phase."""

    def started(self) -> ProcessClients:
        """Start the thread that polls for delivery reports; return this object."""
        remember(self)
        thread = threading.Thread(target=self._poll_until_retired, name="event-bus-producer", daemon=True)
        try:
            thread.start()
            self._thread = thread
        except RuntimeError as error:
            if "shutdown" not in str(error):  # at the interpreter's end no thread starts: each send is flushed
                raise
            keep_for_ever(self)
        return self

    def produce(self, encoded: EncodedEvent, database: str | None, until: float) -> None:
        """
        Queue an event.

        Waits, at most until ``until`` (monotonic), for the ids of the event's schemas and for room in the queue; does
        not wait for room while Kafka is away. Raises :class:`SchemaRegistryError`, :class:`QueueFull`, or
        :class:`DeliveryFailed`; DeliveryFailed is fatal if the client has failed for good or was given up.
        """
        record = self._framer.record_of(encoded, until)
        while True:
            try:
                return self._queue(record, encoded, database)
            except QueueFull:
                if self.is_away or monotonic() >= until:
                    self.is_away = True
                    raise
                self._wanted.set()  # no poll here: a request would run thousands of callbacks of others
                sleep(_ROOM_EVERY)

    def _queue(self, record: ProducerRecord, encoded: EncodedEvent, database: str | None) -> None:
        with self._lock:
            self.producer.enqueue(record, partial(self.reported, id(encoded)))
            self.unreported[id(encoded)] = encoded, database

    def reported(self, key: int, error: Any, message: Any) -> None:
        """
        Handle a delivery report. ``error`` is None if Kafka confirmed the record. Never raises, so that the other
        reports are handled.
        """
        try:
            with self._lock:
                event = self.unreported.pop(key, None)
                if event is not None and error is not None:
                    self._failed(*event, delivery_failure(error))  # locked: give_up() waits for the spill
            if error is None:
                self._confirmed(event, message)
        except BaseException as error:  # noqa: BLE001
            stumbled(error)  # no context manager, which would cost more than all other steps

    def _failed(self, encoded: EncodedEvent, database: str | None, failure: DeliveryFailed) -> None:
        self.is_away = self.is_away or failure.kind is Trouble.UNREACHABLE
        self._spill.spill([encoded], failure, database=database)

    def _confirmed(self, event: tuple[EncodedEvent, str | None] | None, message: Any) -> None:
        if reach.is_lost:
            reach.regain()
        if event is None:
            return
        self.is_away = False
        encoded = event[0]
        tallies.add(EVENTS_DELIVERED, (encoded.destination.event_type,))
        emit(
            RecordDelivered(
                encoded.destination.topic,
                message.partition(),
                message.offset(),
                encoded.destination.event_type,
                encoded.event_id,
            )
        )

    def retire(self) -> None:
        """Let the polling thread end after all events have a delivery report."""
        self._advance(Phase.RETIRING)

    def give_up(self) -> None:
        """
        If any events lack a delivery report, retire the clients and spill these events. Their reports may come too
        late, for example if DNS does not answer.
        """
        if self.unreported:
            self.producer.poll(0)  # so that confirmed events are not sent twice
        with self._lock:
            if not self.unreported:
                return
            self.retire()
            left, self.unreported = self.unreported, {}
        self.producer.purge(0)
        failure = DeliveryFailed(
            error_codes.TIMED_OUT, "not confirmed in time", retriable=True, kind=Trouble.UNREACHABLE
        )
        for encoded, database in left.values():
            self._failed(encoded, database, failure)

    def leave(self, seconds: float) -> None:
        """
        End the polling thread, because the process would abort if this thread logged while the interpreter shuts down.
        Wait at most ``seconds`` for the thread's end. Afterwards only a flush polls for delivery reports.
        """
        if not self._advance(Phase.LEFT):
            return
        keep_for_ever(self)  # without the thread nothing else refers to it
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(seconds, 0.0))

    def _poll_until_retired(self) -> None:
        while self.phase is Phase.OPEN or (self.phase is Phase.RETIRING and len(self.producer)):
            self._wanted.wait(self._poll_interval)  # a blocking poll would wake up for each report
            self._wanted.clear()
            with kept_alive():
                self.producer.poll(0)

    def _advance(self, phase: Phase) -> bool:
        """Move to ``phase``; return False if ``phase`` or a later phase was reached before."""
        with self._lock:
            before, self.phase = self.phase, max(self.phase, phase)
        self._wanted.set()
        return self.phase is not before
