"""Events that wait in memory for the process's first client, where there is no outbox that would take them."""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic

import attrs

from event_bus_kafka.errors import AppendFailed
from event_bus_kafka.producing.connecting import Connecting
from event_bus_kafka.producing.routing import SendingLimits
from event_bus_kafka.producing.spill import Spill
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import EventUndelivered
from event_bus_kafka.telemetry.guards import kept_alive
from event_bus_kafka.wire.records import EncodedEvent

_MOST = 30_000
"""Events, as in the local queue of a client."""
_SETTLED = 1.0
"""Seconds in which the spill finds out whether there is an outbox."""
_LOOK_EVERY = 0.2
"""Seconds between two tries."""


@attrs.frozen
class _Waiter:
    event: EncodedEvent
    error: Exception
    until: float


class Waiting:
    """Hands events over once there are clients, in their order, within ``EVENT_BUS_KAFKA_DELIVERY_TIMEOUT`` of each."""

    def __init__(self, connecting: Connecting, spill: Spill, limits: SendingLimits) -> None:
        self._connecting = connecting
        self._spill = spill
        self._limits = limits
        self._changed = threading.Condition()
        self._waiters: deque[_Waiter] = deque()
        self._is_running = False
        os.register_at_fork(after_in_child=self._forget_parent)

    def add(self, event: EncodedEvent, *, error: Exception) -> None:
        """Let an event wait that was not handed over because of ``error``."""
        with self._changed:
            if has_room := len(self._waiters) < _MOST:
                self._waiters.append(_Waiter(event, error, monotonic() + self._limits.delivery_timeout))
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="event-bus-waiting", daemon=True).start()
        if not has_room:
            _lose(event, error, "as many events wait for a client already")

    def finish(self, until: float) -> None:
        """Wait until all are handed over, at most until ``until`` by the monotonic clock; what is left is lost."""
        if self._connecting.clients is None:
            self._spill.settle(min(until - monotonic(), _SETTLED))  # it may be about to find no outbox
        with self._changed:
            self._changed.wait_for(lambda: not self._waiters, max(until - monotonic(), 0.0))
            left = list(self._waiters)
            self._waiters.clear()
        for one in left:
            _lose(one.event, one.error, "the process ended before there was a client")

    def _run(self) -> None:
        while self._goes_on():
            with kept_alive():
                self._hand_over()
            with self._changed:
                self._changed.notify_all()
                self._changed.wait_for(lambda: not self._waiters, _LOOK_EVERY)

    def _goes_on(self) -> bool:
        with self._changed:
            self._is_running = bool(self._waiters)
            return self._is_running

    def _hand_over(self) -> None:
        while self._waiters:
            one = self._waiters[0]
            try:
                self._connecting.get(monotonic() + _LOOK_EVERY).produce(one.event, None, one.until)
            except Exception as error:  # noqa: BLE001 whatever it is, it may pass
                if monotonic() < one.until:
                    return
                _lose(one.event, error, "no client within EVENT_BUS_KAFKA_DELIVERY_TIMEOUT, and no outbox")
            with self._changed:
                if self._waiters and self._waiters[0] is one:
                    self._waiters.popleft()

    def _forget_parent(self) -> None:
        self._changed = threading.Condition()
        self._waiters.clear()
        self._is_running = False


def _lose(event: EncodedEvent, error: Exception, why: str) -> None:
    emit(EventUndelivered(**event.names, error=error, obstacle=AppendFailed(why)))
