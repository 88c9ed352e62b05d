"""
Reports receivers that run for too long. Without the reports, a worker with such a receiver would log nothing until it
is stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from time import monotonic
from weakref import WeakSet

import attrs

from event_bus_kafka.consuming.lanes import Lane
from event_bus_kafka.consuming.progress import Delivery
from event_bus_kafka.dispatching.attempts import Past
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ReceiverSlow
from event_bus_kafka.telemetry.guards import kept_alive
from event_bus_kafka.telemetry.health import Health, Obstacle
from event_bus_kafka.telemetry.state import SlowReceiver

_LONGEST_PAUSE = 5.0
"""Longest time in seconds between two checks of the lanes."""


@attrs.frozen(kw_only=True)
class _Turn:
    """
    A call of a receiver that is running now. Two calls of one receiver for the same record differ in ``past``, because
    each attempt at a record has its own ``Past`` object, compared by identity.
    """

    delivery: Delivery
    receiver: str
    past: Past = attrs.field(eq=id)


class SlowReceivers:
    """
    Checks the lanes from a separate thread. The lanes themselves do not record times, because most receivers are quick.

    A receiver that has run for ``after`` seconds is an obstacle to health until it ends. Only the first such receiver
    of each record is reported.
    """

    def __init__(
        self, lanes: Iterable[Lane], after: float, health: Health, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._lanes = list(lanes)
        self._after = after
        self._health = health
        self._clock = clock
        self._seen: dict[Lane, tuple[_Turn, float]] = {}
        """
        Lane → the receiver that it ran at the last check, and the monotonic time at which a check first saw this
        receiver.
        """
        self._told: WeakSet[Delivery] = WeakSet()
        self.slow: tuple[SlowReceiver, ...] = ()
        """The receivers that were too slow at the last check."""
        self._is_over = threading.Event()

    def look(self) -> None:
        """Check each lane: note the receivers that have run for ``after`` seconds, and report the new ones."""
        now = self._clock()
        slow: list[SlowReceiver] = []
        for lane in self._lanes:
            turn = _turn_of(lane)
            if turn is None:
                self._seen.pop(lane, None)
                continue
            before, since = self._seen.get(lane, (None, now))
            since = since if turn == before else now
            self._seen[lane] = turn, since
            if now - since >= self._after:
                slow.append(_state(lane, turn, now - since))
                self._tell(turn, slow[-1])
        self.slow = tuple(slow)
        self._health.replace(Obstacle.SLOW, (one.receiver for one in slow))

    def start(self) -> None:
        """Start the thread that checks the lanes."""
        threading.Thread(target=self._look_for_ever, name="event-bus-slow", daemon=True).start()

    def stop(self) -> None:
        """Stop the checks."""
        self._is_over.set()

    def _tell(self, turn: _Turn, slow: SlowReceiver) -> None:
        if turn.delivery in self._told:
            return
        self._told.add(turn.delivery)
        record = turn.delivery.coordinates
        emit(ReceiverSlow(record=record, receiver=turn.receiver, stack=slow.stack, waited=slow.seconds))

    def _look_for_ever(self) -> None:
        while not self._is_over.wait(min(_LONGEST_PAUSE, self._after / 10)):
            with kept_alive():
                self.look()


def _state(lane: Lane, turn: _Turn, seconds: float) -> SlowReceiver:
    return SlowReceiver(
        receiver=turn.receiver,
        seconds=seconds,
        topic=turn.delivery.partition.topic,
        partition=turn.delivery.partition.number,
        offset=turn.delivery.offset,
        stack=lane.places(),
    )


def _turn_of(lane: Lane) -> _Turn | None:
    delivery = lane.running
    work = delivery.work if delivery is not None else None  # the lane may set it to None meanwhile
    if delivery is None or work is None or work.running is None:
        return None
    return _Turn(delivery=delivery, receiver=work.running.name, past=work.past)
