"""What waits to be written into an outbox, in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from math import inf

import attrs

from event_bus_kafka.errors import OutboxMissing
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, EventAppended, EventSpilled, EventUndelivered
from event_bus_kafka.wire.records import EncodedEvent

_OVERHEAD = 2_000
"""Bytes of memory, nearly, that an event takes besides its contents."""
_BATCH = 500
_BATCH_BYTES = 2_000_000
"""As ``append`` puts into one INSERT: one batch is written whole or not at all."""
FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@attrs.define(eq=False)
class BufferedEvent:
    """An event on its way into the outbox."""

    event: EncodedEvent
    error: Exception | None
    """What kept it from Kafka; None where it was to be in the outbox from the first."""
    otherwise: Callable[[EncodedEvent], None] | None = None
    """What becomes of it where there is no outbox; None: it is lost."""
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
        if self.otherwise is not None and isinstance(obstacle, OutboxMissing):
            if self.error is None:
                emit(AppendToOutboxFailed(**self.event.names, error=obstacle, doomed=False))
            self.otherwise(self.event)
            return
        emit(EventUndelivered(**self.event.names, error=self.error or obstacle, obstacle=obstacle))


@attrs.define(eq=False)
class SpillBuffer:
    """What waits for one database, in the order in which it came; apart from it, what the database has refused."""

    waiting: deque[BufferedEvent] = attrs.field(factory=deque)
    refused: deque[BufferedEvent] = attrs.field(factory=deque)
    bytes: int = 0
    due: float = 0.0
    """When it may be tried, by the monotonic clock; the same for what was refused."""
    refused_due: float = 0.0
    written_at: float = 0.0
    """When the database last took an event."""
    _pause: float = FIRST_PAUSE

    def __len__(self) -> int:
        return len(self.waiting) + len(self.refused)

    def add(self, one: BufferedEvent) -> None:
        self.waiting.append(one)
        self.bytes += one.size

    def seconds_to_next(self, now: float) -> float:
        """Return how long nothing may be tried."""
        dues = [self.due] * bool(self.waiting) + [max(self.due, self.refused_due)] * bool(self.refused)
        return min(dues, default=now) - now

    def batch(self, now: float) -> list[BufferedEvent]:
        """Return what goes into the next INSERT; it stays here until it is written."""
        queue = self.refused if self.refused and (now >= self.refused_due or not self.waiting) else self.waiting
        batch: list[BufferedEvent] = []
        room = _BATCH_BYTES
        for one in islice(queue, _BATCH):
            room -= one.size
            if batch and room < 0:
                break
            batch.append(one)
        return batch

    def take(self, batch: list[BufferedEvent]) -> list[BufferedEvent]:
        """Remove what stands first, and return it, without what a process has given up meanwhile."""
        taken = []
        for one in batch:
            queue = self.refused if one.was_refused else self.waiting
            if queue and queue[0] is one:
                taken.append(queue.popleft())
                self.bytes -= one.size
        return taken

    def put_aside(self, one: BufferedEvent, now: float) -> None:
        """Keep what was refused, alone, behind what was refused before."""
        for refused in self.take([one]):
            refused.refused_at = min(refused.refused_at, now)
            self.refused.append(refused)
            self.bytes += refused.size

    def clear(self) -> list[BufferedEvent]:
        """Remove and return all."""
        left = [*self.waiting, *self.refused]
        self.waiting.clear()
        self.refused.clear()
        self.bytes = 0
        return left

    def written(self, now: float) -> None:
        self._pause, self.due, self.written_at = FIRST_PAUSE, now, now

    def rest_refused(self, now: float, *, at_most: float) -> None:
        """Leave what was refused alone for a while; others go on."""
        self.refused_due = now + min(_LONGEST_PAUSE, at_most)

    def put_off(self, now: float, *, at_most: float) -> None:
        """Leave all alone for a while, each time for longer, until the database takes something."""
        self.due = self.refused_due = now + min(self._pause, at_most)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
