"""
Key-ordered concurrency: which record may run now.

An actor per record key holds that key's deliveries in order, and a busy flag. Lanes (threads) take ready actors and
work off a few of their records at a time. While an actor waits for a retry it stays busy, so that its key waits and no
other. Per record this costs an append and an attribute store, and no shared lock.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from queue import Empty, SimpleQueue
from time import monotonic

from event_bus_kafka.consuming.outcomes import Done, Hold, Outcome, Retry
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress

_DRAIN = 64
"""Records that a lane takes from one actor before it looks at others."""
_SWEEP_ABOVE = 10_000
"""Actors beyond which idle ones are removed; a key may come only once."""


class _Actor:
    """The records of one key, and whether they are in a lane's hands or waiting for a retry."""

    __slots__ = ("busy", "deliveries")

    def __init__(self) -> None:
        self.deliveries: deque[Delivery] = deque()
        self.busy = threading.Lock()


class _Lane(threading.Thread):
    """A thread that runs receivers; ``running`` is the record it is at."""

    def __init__(self, number: int, work: Callable[[_Lane], None]) -> None:
        super().__init__(name=f"event-bus-lane-{number}", daemon=True)
        self.running: Delivery | None = None
        self._work = work

    def run(self) -> None:
        self._work(self)


class Scheduler:
    """
    Runs ``process`` on deliveries, in strict order per key, on so many lanes.

    All methods are for the polling thread; ``process`` runs on the lanes and returns Done, Retry or Hold.
    """

    def __init__(
        self, process: Callable[[Delivery], Outcome], *, lanes: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._process = process
        self._clock = clock
        self._actors: dict[tuple[str, int, bytes | None], _Actor] = {}
        self._ready: SimpleQueue[_Actor | None] = SimpleQueue()
        self._to_wait: SimpleQueue[tuple[float, _Actor]] = SimpleQueue()
        self._waiting: list[tuple[float, int, _Actor]] = []
        self._sequence = count()
        self._sweep_above = _SWEEP_ABOVE
        self._stopping = False
        self.failure: BaseException | None = None
        """What a receiver raised that is no Exception; the worker has to end."""
        self._lanes = [_Lane(number, self._work) for number in range(lanes)]
        for lane in self._lanes:
            lane.start()

    def submit(self, delivery: Delivery) -> None:
        """Queue a delivery behind those of its key."""
        record = delivery.record
        key = (record.topic, record.partition, record.key)
        actor = self._actors.get(key)
        if actor is None:
            actor = self._actors[key] = _Actor()
        actor.deliveries.append(delivery)
        self._wake(actor)

    def tick(self) -> None:
        """Let those go on whose delay is over."""
        while True:
            try:
                due, actor = self._to_wait.get_nowait()
            except Empty:
                break
            heapq.heappush(self._waiting, (due, next(self._sequence), actor))
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            self._ready.put(heapq.heappop(self._waiting)[2])
        if len(self._actors) > self._sweep_above:
            self._sweep()

    def revoke(self, partitions: Iterable[PartitionProgress], *, timeout: float) -> int:
        """
        Drop what has not begun of these partitions and wait so many seconds for what runs; return how many run still.

        Actors outlive this, so that a quick re-assignment cannot run one key in two lanes.
        """
        for partition in partitions:
            partition.live = False
        self._release_dead()
        return self._wait_until_idle(timeout, lambda delivery: not delivery.partition.live)

    def stop(self, *, timeout: float) -> list[Delivery]:
        """Begin nothing any more and wait so many seconds for what runs; return what runs still."""
        self._stopping = True
        for _ in self._lanes:
            self._ready.put(None)
        self._wait_until_idle(timeout, lambda _: True)
        return [lane.running for lane in self._lanes if lane.running is not None]

    def seconds_to_next(self, most: float) -> float:
        """Return the seconds until the next delay is over, at most ``most``."""
        if not self._waiting:
            return most
        return max(0.0, min(most, self._waiting[0][0] - self._clock()))

    def _wake(self, actor: _Actor) -> None:
        if actor.busy.acquire(blocking=False):
            self._ready.put(actor)

    def _work(self, lane: _Lane) -> None:
        while (actor := self._ready.get()) is not None and not self._stopping:
            try:
                self._drain(actor, lane)
            except BaseException as error:  # noqa: BLE001 SystemExit would end this thread unseen: the polling thread must know
                self.failure = error
                lane.running = None
                return

    def _drain(self, actor: _Actor, lane: _Lane) -> None:
        deliveries = actor.deliveries
        for _ in range(_DRAIN):
            if not deliveries or self._stopping:
                break
            delivery = deliveries[0]
            lane.running = delivery  # before the look at `live`: a revoke that comes between would not wait for it
            if delivery.partition.live:
                outcome = self._process(delivery)
                if not isinstance(outcome, Done):
                    assert isinstance(outcome, (Retry, Hold))
                    lane.running = None
                    self._to_wait.put((self._clock() + outcome.delay, actor))  # still busy: the key waits
                    return
                delivery.done = True
            deliveries.popleft()
            lane.running = None
        actor.busy.release()
        if deliveries and not self._stopping:  # one that came before the release found the actor busy
            self._wake(actor)

    def _release_dead(self) -> None:
        self.tick()
        self._waiting = [
            (due if actor.deliveries[0].partition.live else 0.0, number, actor) for due, number, actor in self._waiting
        ]
        heapq.heapify(self._waiting)
        self.tick()

    def _wait_until_idle(self, timeout: float, concerned: Callable[[Delivery], bool]) -> int:
        deadline = monotonic() + timeout
        pause = threading.Event()
        while True:
            running = [lane.running for lane in self._lanes]
            left = sum(1 for delivery in running if delivery is not None and concerned(delivery))
            if not left or monotonic() >= deadline:
                return left
            pause.wait(0.005)

    def _sweep(self) -> None:
        for key, actor in list(self._actors.items()):
            if actor.busy.acquire(blocking=False):
                if actor.deliveries:
                    self._ready.put(actor)  # its lane may have looked while we held it, and left the waking to us
                else:
                    del self._actors[key]
                    actor.busy.release()
        self._sweep_above = max(_SWEEP_ABOVE, 2 * len(self._actors))
