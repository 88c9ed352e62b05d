"""
Runs records concurrently, but in order per key: decides which record may run now.

An actor contains the deliveries of one record key, in order, and a busy flag. Each lane (a thread) takes an actor that
waits for a lane, and processes some of its records. An actor that waits for a retry stays busy, so that only its own
key waits. Queuing a record is cheap, because no lock is common to all keys.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Collection, Container
from itertools import count
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic, process_time, sleep

from event_bus_kafka.consuming.lanes import Lane, Lanes
from event_bus_kafka.consuming.progress import Delivery, Detached, PartitionPhase, PartitionProgress
from event_bus_kafka.dispatching.outcomes import Done, Hold, Outcome, Retry
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.telemetry import emit, flush_observers
from event_bus_kafka.telemetry.events import ReceiverUnfinished
from event_bus_kafka.wire.records import ConsumerRecord

_DRAIN = 64
"""Maximum number of records of one actor that a lane processes before it turns to another actor."""
_PLENTY = 500
"""
While at least this number of keys wait for a lane, the worker reads no record. Records that wait for a long time drop
out of the CPU's caches.
"""
_SWEEP_ABOVE = 10_000
"""
Number of actors above which idle actors are removed. Many keys may occur only once; without removal their actors would
pile up.
"""
_LOOK_AGAIN = 0.005
"""Seconds between two checks whether receivers are still running."""

Key = tuple[str, int, bytes | None]


class _Actor:
    """The unfinished records of one key. An actor is busy while it is queued, on a lane, or waiting for a retry."""

    __slots__ = ("busy", "deliveries", "held", "waiting")

    def __init__(self) -> None:
        self.deliveries: deque[Delivery] = deque()
        self.busy = threading.Lock()
        self.waiting = False
        self.held = False
        """Whether the actor waits because its last attempt returned Hold."""


class Scheduler:
    """
    Runs ``process`` on deliveries, in strict order per key, on at most ``lanes`` threads.

    Only the polling thread calls a method, unless the method says otherwise. The lanes call ``process``, which returns
    Done, Retry or Hold.
    """

    def __init__(
        self,
        process: Callable[[Delivery], Outcome],
        *,
        lanes: int,
        clock: Callable[[], float] = monotonic,
        cpu: Callable[[], float] = process_time,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._process = process
        self._clock = clock
        self._pause = pause
        self._actors: dict[Key, _Actor] = {}
        self._ready: SimpleQueue[_Actor | None] = SimpleQueue()
        self._to_wait: SimpleQueue[tuple[float, _Actor]] = SimpleQueue()
        self._waiting: list[tuple[float, int, _Actor]] = []
        self._sequence = count()
        self._sweep_above = _SWEEP_ABOVE
        self._hurry_until = inf
        self.failure: BaseException | None = None
        """The exception that ended a lane, such as SystemExit; the worker has to end. None: no lane has failed."""
        self.failed_at = ""
        """Coordinates of the record at which ``failure`` ended a lane; empty: no lane has failed."""
        self.lanes = Lanes(lanes, self._turn, clock=clock, cpu=cpu)
        """The threads that run receivers."""

    def start(self) -> None:
        """Start the lanes."""
        self.lanes.start()

    def submit(self, delivery: Delivery) -> None:
        """Queue a delivery after the earlier deliveries of its key."""
        assert delivery.record is not None
        key = _key(delivery.record)
        actor = self._actors.get(key)
        if actor is None:
            actor = self._actors[key] = _Actor()
        actor.deliveries.append(delivery)
        self._wake(actor)

    def tick(self) -> None:
        """Queue actors whose delay is over, and adapt the number of awake lanes."""
        while True:
            try:
                due, actor = self._to_wait.get_nowait()
            except Empty:
                break
            if _is_to_be_dropped(actor):  # its partition was revoked while the record ran
                due = 0.0
            heapq.heappush(self._waiting, (due, next(self._sequence), actor))
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            actor = heapq.heappop(self._waiting)[2]
            actor.waiting = False
            self._ready.put(actor)
        self.lanes.adapt(backlog=not self._ready.empty())
        if len(self._actors) > self._sweep_above:
            self._sweep()

    def release(
        self,
        leaving: Collection[PartitionProgress],
        *,
        timeout: float,
        staying: Collection[PartitionProgress] = (),
        names: Collection[Partition] = (),
    ) -> int:
        """
        Give up the ``leaving`` partitions. Return the number of receivers that are still running at the end; report
        each of them, unless ``timeout`` is 0.

        All waits together take at most ``timeout`` seconds. First wait for unfinished records below the highest record
        that is finished or running, except records that wait for a retry. During this wait no record of the ``staying``
        partitions begins. Then drop the other records, and wait for running receivers of the ``leaving`` partitions and
        of the partitions ``names``, including receivers of an earlier assignment.

        Without the first wait Kafka would redeliver finished records, because the position cannot move past an
        unfinished one. Actors are kept, so that one key never runs on two lanes, even if its partition is soon assigned
        again.
        """
        deadline = self._clock() + timeout
        staying = [one for one in staying if one.phase is PartitionPhase.OPEN]  # not those that a stop has closed
        self._drain_all([one for one in leaving if one.phase is PartitionPhase.OPEN], staying)
        self._wait_while(lambda: any(map(self._has_hole_to_fill, leaving)), deadline)
        for partition in staying:
            partition.phase = PartitionPhase.OPEN
        for partition in leaving:
            partition.phase = PartitionPhase.CLOSED
        self._release_waiting()
        leaving_names = {one.name for one in leaving}.union(names)
        self._wait_while(lambda: bool(self._running_in(leaving_names)), deadline)
        running = self._running_in(leaving_names)
        for lane, delivery in running if timeout else ():
            record, receiver, stack = delivery.coordinates, delivery.running, lane.stack()
            emit(ReceiverUnfinished(record=record, receiver=receiver, stack=stack, waited=round(timeout) or timeout))
        return len(running)

    def hurry(self, timeout: float) -> None:
        """End all waits of this scheduler at most ``timeout`` seconds from now. A signal handler may call it."""
        self._hurry_until = self._clock() + timeout

    def stop(self) -> None:
        """Let the lanes end as soon as they have processed the actors that are queued now."""
        for _ in self.lanes:
            self._ready.put(None)
        self.lanes.wake_all()

    def seconds_to_next(self, most: float) -> float:
        """Return the seconds until the first waiting actor's delay ends, but at most ``most``."""
        if not self._waiting:
            return most
        return max(0.0, min(most, self._waiting[0][0] - self._clock()))

    def waiting_keys(self) -> tuple[int, int]:
        """
        Return how many keys wait for another attempt, and how many of these keys have Hold as their last outcome. Any
        thread may call this method.
        """
        waiting = list(self._waiting)
        return len(waiting) + self._to_wait.qsize(), sum(actor.held for _, _, actor in waiting)

    @property
    def has_plenty(self) -> bool:
        """Whether at least :data:`_PLENTY` keys wait for a lane."""
        return self._ready.qsize() >= _PLENTY

    def _wake(self, actor: _Actor) -> None:
        if actor.busy.acquire(blocking=False):
            self._ready.put(actor)

    def _turn(self, lane: Lane) -> bool:
        """Process records of one queued actor. Return False if the lane has to end."""
        actor = self._ready.get()
        if actor is None:
            return False
        try:
            self._drain(actor, lane)
        except BaseException as error:  # noqa: BLE001 SystemExit would end this thread unseen: the polling thread must know
            delivery = actor.deliveries[0]
            delivery.dropped = True
            lane.running, lane.has_failed = None, True
            self.failure, self.failed_at = error, delivery.coordinates
            return False
        return True

    def _drain(self, actor: _Actor, lane: Lane) -> None:
        deliveries = actor.deliveries
        for _ in range(_DRAIN):
            if not deliveries:
                break
            delivery = deliveries[0]
            lane.running = delivery  # before may_begin: otherwise a release in between would not wait for the record
            may_begin = delivery.partition.may_begin(delivery.offset)
            if may_begin is None:
                lane.running = None
                self._to_wait.put((0.0, actor))
                return
            if not may_begin:
                delivery.dropped = True
            else:
                outcome = delivery.process(delivery) if isinstance(delivery, Detached) else self._process(delivery)
                if not isinstance(outcome, Done):
                    assert isinstance(outcome, (Retry, Hold))
                    actor.waiting, actor.held = True, isinstance(outcome, Hold)
                    lane.running = None
                    self._to_wait.put((self._clock() + outcome.delay, actor))  # still busy: the key waits
                    return
                delivery.finish()
            deliveries.popleft()
            lane.running = None
        actor.busy.release()
        if deliveries:  # a delivery submitted before this release found the actor busy
            self._wake(actor)

    def _drain_all(self, leaving: Collection[PartitionProgress], staying: Collection[PartitionProgress]) -> None:
        for partition in (*leaving, *staying):
            partition.phase = PartitionPhase.DECIDING  # no record above a dropped one may begin
        for partition in leaving:
            running = [one.offset for _, one in self._running_in({partition.name}) if one.partition is partition]
            partition.drains_to = max(partition.highest_done, *running, -1)
            partition.phase = PartitionPhase.DRAINING

    def _has_hole_to_fill(self, partition: PartitionProgress) -> bool:
        first = partition.advance()
        if first is None or first.dropped or not partition.may_begin(first.offset):
            return False
        if all(lane.has_failed for lane in self.lanes):
            return False
        record = first.record
        return record is None or not self._actors[_key(record)].waiting  # None: a lane has just finished it

    def _release_waiting(self) -> None:
        """
        Wake each actor whose first record is to be dropped, even if the record's retry is not due yet. If the actor
        slept on, records of a new assignment would wait for that retry.
        """
        self.tick()
        self._waiting = [
            (0.0 if _is_to_be_dropped(actor) else due, number, actor) for due, number, actor in self._waiting
        ]
        heapq.heapify(self._waiting)
        self.tick()

    def _running_in(self, names: Container[Partition]) -> list[tuple[Lane, Delivery]]:
        running = [(lane, lane.running) for lane in self.lanes]
        return [
            (lane, delivery) for lane, delivery in running if delivery is not None and delivery.partition.name in names
        ]

    def _wait_while(self, condition: Callable[[], bool], deadline: float) -> None:
        while condition() and self._clock() < min(deadline, self._hurry_until):
            self._pause(_LOOK_AGAIN)
            self.tick()
            flush_observers()

    def _sweep(self) -> None:
        for key, actor in list(self._actors.items()):
            if actor.busy.acquire(blocking=False):
                if actor.deliveries:
                    self._ready.put(actor)  # submit() may have found the actor busy meanwhile, and not queued it
                else:
                    del self._actors[key]
                    actor.busy.release()
        self._sweep_above = max(_SWEEP_ABOVE, 2 * len(self._actors))


def _key(record: ConsumerRecord) -> Key:
    return record.topic, record.partition, record.key


def _is_to_be_dropped(actor: _Actor) -> bool:
    first = actor.deliveries[0]
    return first.partition.may_begin(first.offset) is False
