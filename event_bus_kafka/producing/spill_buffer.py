"""What waits to be written into an outbox, in memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from math import inf
from time import monotonic

import attrs

from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import EventAppended, EventSpilled, EventUndelivered
from event_bus_kafka.wire.records import EncodedEvent

MOST_BYTES = 128_000_000
"""Of events that wait for a database. What comes beyond waits for room; where none is made, it is lost."""
_REPORTED = 4
"""Times as much for what comes by delivery reports, which cannot wait, while the database takes events."""
_FOR_ROOM = 1.0
"""Seconds; then nobody waits for room until the database takes events again."""
_OVERHEAD = 2_000
"""Bytes of memory, nearly, that an event takes besides its contents."""
_BATCH = 500
_BATCH_BYTES = 2_000_000
"""As ``append`` puts into one INSERT: one batch is written whole or not at all."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@attrs.define(eq=False)
class BufferedEvent:
    """An event on its way into the outbox."""

    event: EncodedEvent
    error: Exception | None
    """What kept it from Kafka; None where it was to be in the outbox from the first."""
    otherwise: Callable[[EncodedEvent], None] | None = None
    """Sends it where there is no outbox; raises while it cannot. None: it is lost."""
    refused_at: float = inf
    """When it was refused for the first time, alone, by a database that answers."""

    @property
    def size(self) -> int:
        return _OVERHEAD + len(self.event.key) + len(self.event.value or b"")

    @property
    def was_refused(self) -> bool:
        return self.refused_at < inf

    def written(self, database: str) -> None:
        if self.error is None:
            emit(EventAppended(**self.event.names))
        else:
            emit(EventSpilled(**self.event.names, error=self.error, database=database))

    def lost(self, obstacle: Exception) -> None:
        emit(EventUndelivered(**self.event.names, error=self.error or obstacle, obstacle=obstacle))


@attrs.define(eq=False)
class SpillBuffer:
    """What waits for one database, in the order in which it came; apart from it, what the database has refused."""

    changed: threading.Condition = attrs.field(factory=threading.Condition)
    waiting: deque[BufferedEvent] = attrs.field(factory=deque)
    written_at: float = 0.0
    """When the database last took an event, by the monotonic clock, as all times here."""
    _refused: deque[BufferedEvent] = attrs.field(factory=deque)
    _bytes: int = 0
    _due: float = 0.0
    """When it may be tried; the same for what was refused."""
    _refused_due: float = 0.0
    _pause: float = _FIRST_PAUSE
    _hurried_until: float = 0.0
    _takes: bool = True
    """Whether the database takes events, as far as is known."""
    _makes_room: bool = True
    """Whether nobody has waited for room in vain since it took some."""

    def __len__(self) -> int:
        return len(self.waiting) + len(self._refused)

    def waits_for_clients(self) -> bool:
        with self.changed:
            return any(one.otherwise for one in self.waiting)

    def put(self, events: Iterable[BufferedEvent], until: float | None) -> list[BufferedEvent]:
        """Let events wait, as far as there is room or comes to be by ``until``. Return the others."""
        others = []
        with self.changed:
            for one in events:
                if self._has_room(one.size, until):
                    self.add(one)
                else:
                    others.append(one)
        return others

    def add(self, *events: BufferedEvent) -> None:
        with self.changed:
            for one in events:
                self._queue_of(one).append(one)
                self._bytes += one.size
            self.changed.notify_all()

    def next_batch(self) -> list[BufferedEvent]:
        """Wait for what goes into the next INSERT, and return it: it stays here until it is taken."""
        with self.changed:
            while self and (seconds := self._seconds_to_next()) > 0:
                self.changed.wait(seconds)
            is_due = self._refused and monotonic() >= self._refused_due
            batch: list[BufferedEvent] = []
            room = _BATCH_BYTES
            for one in islice(self._refused if is_due or not self.waiting else self.waiting, _BATCH):
                room -= one.size
                if batch and room < 0:
                    break
                batch.append(one)
            return batch

    def take(self, batch: Iterable[BufferedEvent]) -> list[BufferedEvent]:
        """Remove what stands first, and return it, without what a process has given up meanwhile."""
        taken = []
        with self.changed:
            for one in batch:
                queue = self._queue_of(one)
                if queue and queue[0] is one:
                    taken.append(queue.popleft())
                    self._bytes -= one.size
            self.changed.notify_all()
        return taken

    def take_all(self) -> list[BufferedEvent]:
        with self.changed:
            return self.take([*self.waiting, *self._refused])

    def put_aside(self, one: BufferedEvent) -> None:
        """Keep what was refused, alone, behind what was refused before."""
        with self.changed:
            taken = self.take([one])
            one.refused_at = min(one.refused_at, monotonic())
            self.add(*taken)

    def hurry(self, until: float) -> None:
        """Have all tried at once, and then often, until ``until``."""
        with self.changed:
            self._hurried_until = max(self._hurried_until, until)
            self._due = self._refused_due = 0.0
            self.changed.notify_all()

    def written(self) -> None:
        self._takes = self._makes_room = True
        self._pause, self._due, self.written_at = _FIRST_PAUSE, 0.0, monotonic()

    def rest_refused(self) -> None:
        """Leave what was refused alone for a while; others go on."""
        self._refused_due = self._after(_LONGEST_PAUSE)

    def put_off(self) -> None:
        """Leave all alone for a while, each time for longer, until the database takes something."""
        with self.changed:
            self._takes = False
            self._due = self._refused_due = self._after(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _has_room(self, size: int, until: float | None) -> bool:
        most = MOST_BYTES * (_REPORTED if until is None and self._takes else 1) - size
        if until is not None and self._takes and self._makes_room and (seconds := until - monotonic()) > 0:
            self._makes_room = self.changed.wait_for(lambda: self._bytes <= most, min(seconds, _FOR_ROOM))
        return self._bytes <= most

    def _seconds_to_next(self) -> float:
        dues = [self._due] * bool(self.waiting) + [max(self._due, self._refused_due)] * bool(self._refused)
        return min(dues, default=0.0) - monotonic()

    def _after(self, seconds: float) -> float:
        now = monotonic()
        return now + (min(seconds, _FIRST_PAUSE) if now < self._hurried_until else seconds)

    def _queue_of(self, one: BufferedEvent) -> deque[BufferedEvent]:
        return self._refused if one.was_refused else self.waiting
