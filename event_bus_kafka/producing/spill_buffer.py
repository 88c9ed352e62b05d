"""Buffers events in memory until they are inserted into an outbox."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Set
from time import monotonic

import attrs

from event_bus_kafka.outbox.chunks import in_chunks
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import EventAppended, EventSpilled, EventUndelivered
from event_bus_kafka.wire.records import EncodedEvent

MOST_BYTES = 128_000_000
"""
Maximum bytes of the events that wait for one database. A further event waits for room. If there is no room in time, the
further event is lost.
"""
_REPORTED = 4
"""
Factor on ``MOST_BYTES`` for events that come from delivery reports, because delivery reports cannot wait for room. The
factor applies while the database accepts events.
"""
_STILL_TAKES = 5.0
"""Seconds for which a database that has accepted an event is expected to accept further events."""
_OVERHEAD = 2_000
"""Approximate bytes of memory that an event needs in addition to its key and value."""
_BATCH = 500
_BATCH_BYTES = 2_000_000
"""
Maximum number of events in one batch, and maximum bytes of these events. ``append`` has the same limits for one INSERT.
Therefore a batch is inserted as a whole or not at all.
"""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@attrs.define(eq=False)
class BufferedEvent:
    """An event that waits for its INSERT into the outbox."""

    event: EncodedEvent
    error: Exception | None
    """The reason why Kafka did not get the event; None: the event was meant for the outbox."""
    otherwise: Callable[[EncodedEvent], None] | None = None
    """Sends the event if there is no outbox; raises if this fails. None: without an outbox the event is lost."""
    since: float = attrs.field(factory=monotonic)
    """
    Monotonic time at which the event began to wait. If the database refused the event, it is the time of the first
    refusal.
    """
    was_refused: bool = False
    """Whether the database has refused this event in an INSERT that contained no other event."""
    due: float = 0.0
    """Monotonic time from which the next attempt to insert the event may begin."""

    @property
    def size(self) -> int:
        return _OVERHEAD + len(self.event.key) + len(self.event.value or b"")

    def written(self, database: str) -> None:
        if self.error is None:
            emit(EventAppended(**self.event.names))
        else:
            emit(EventSpilled(**self.event.names, error=self.error, database=database))

    def lost(self, obstacle: Exception) -> None:
        emit(EventUndelivered(**self.event.names, error=self.error or obstacle, obstacle=obstacle))


@attrs.define(eq=False)
class SpillBuffer:
    """
    The events that wait for one database, in order of arrival. Events that the database refused wait in a separate
    queue.
    """

    changed: threading.Condition = attrs.field(factory=threading.Condition)
    took_at: float = 0.0
    """
    Monotonic time at which the database last accepted an event. It is also set when an event is put into the empty
    buffer.
    """
    _waiting: deque[BufferedEvent] = attrs.field(factory=deque)
    _refused: deque[BufferedEvent] = attrs.field(factory=deque)
    _bytes: int = 0
    _hurried_until: float = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._refused)

    @property
    def bytes(self) -> int:
        """Bytes of memory that the events use."""
        return self._bytes

    def waits_for_clients(self) -> bool:
        with self.changed:
            return any(one.otherwise for one in self._waiting)

    def put(self, one: BufferedEvent, until: float | None) -> bool:
        """
        Add an event as soon as there is room. Return False if there was no room until ``until`` (monotonic).

        The call also stops waiting if the database has accepted no event for some seconds. If ``until`` is None, the
        caller is a delivery report, and the call does not block.
        """
        most = MOST_BYTES - one.size
        with self.changed:
            if not self:
                self.took_at = monotonic()
            takes_until = self.took_at + _STILL_TAKES
            if until is None and monotonic() < takes_until:
                most += (_REPORTED - 1) * MOST_BYTES
            has_room = self.changed.wait_for(lambda: self._bytes <= most, min(until or 0, takes_until) - monotonic())
            if has_room:
                self._waiting.append(one)
                self._bytes += one.size
                self.changed.notify_all()
            return has_room

    def next_batch(self) -> list[BufferedEvent]:
        """
        If the buffer is empty, return an empty list at once. Otherwise wait until events are due, and return the events
        for the next INSERT. The returned events stay in the buffer until :meth:`take` removes them.
        """
        with self.changed:
            while queues := [queue for queue in (self._waiting, self._refused) if queue]:
                queue = min(queues, key=lambda one: one[0].due)
                if (seconds := queue[0].due - monotonic()) <= 0:
                    return next(in_chunks(queue, lambda one: one.size, most=_BATCH, most_bytes=_BATCH_BYTES))
                self.changed.wait(seconds)
        return []

    def take(self, batch: Iterable[BufferedEvent]) -> list[BufferedEvent]:
        """
        Remove the events of ``batch`` from the fronts of their queues. Return the removed events. Events that were
        given up meanwhile are not among them.
        """
        taken = []
        with self.changed:
            for one in batch:
                queue = self._refused if one.was_refused else self._waiting
                if queue and queue[0] is one:
                    taken.append(queue.popleft())
                    self._bytes -= one.size
            self.changed.notify_all()
        return taken

    def take_all(self) -> list[BufferedEvent]:
        with self.changed:
            return self.take([*self._waiting, *self._refused])

    def event_ids(self) -> list[str]:
        """Return the ids of the events that wait only for the database, because they have no ``otherwise``."""
        with self.changed:
            return [one.event.event_id for one in (*self._waiting, *self._refused) if one.otherwise is None]

    def take_out(self, event_ids: Set[str]) -> list[BufferedEvent]:
        """Remove the events with these ids, wherever they stand in their queues."""
        taken: list[BufferedEvent] = []
        with self.changed:
            for queue in (self._waiting, self._refused):
                found = [one for one in queue if one.event.event_id in event_ids]
                taken += found
                for one in found:
                    queue.remove(one)
                    self._bytes -= one.size
            self.changed.notify_all()
        return taken

    def put_aside(self, one: BufferedEvent) -> None:
        """Move ``one``, an event that the database refused, to the end of the queue of refused events."""
        with self.changed:
            if not self.take([one]):
                return
            if not one.was_refused:
                one.was_refused, one.since = True, monotonic()
            self.put_off(one)
            self._refused.append(one)
            self._bytes += one.size

    def put_off(self, one: BufferedEvent) -> None:
        """
        Delay an event, and the events after it in the queue. The delay is as long as the event has waited already, up
        to a maximum. After :meth:`hurry` the maximum is short.
        """
        now = monotonic()
        longest = _FIRST_PAUSE if now < self._hurried_until else _LONGEST_PAUSE
        one.due = now + min(max(now - one.since, _FIRST_PAUSE), longest)

    def hurry(self, until: float) -> None:
        """Try all events now, and again at short intervals until ``until`` (monotonic)."""
        with self.changed:
            self._hurried_until = max(self._hurried_until, until)
            for one in (*self._waiting, *self._refused):
                one.due = 0.0
            self.changed.notify_all()
