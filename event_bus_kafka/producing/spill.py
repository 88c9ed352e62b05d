"""
Spill: what Kafka did not confirm goes into the outbox, from where a relay brings it.

Whoever finds out only notes it. A delivery report comes in the midst of a poll; and a request may be in a transaction,
with which a row of its own would roll back, and whose lock, on SQLite, another connection would wait for. So one thread
per process writes, on connections of its own, hundreds of events with one INSERT. It is there from before the first
send to the end, when no thread can be started any more, and has no connection while nothing waits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from time import monotonic

from django.db import DEFAULT_DB_ALIAS, connections

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.producing.aside import put_into
from event_bus_kafka.producing.waiting import FIRST_PAUSE, Queue, Waiting
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import SpillDelayed
from event_bus_kafka.wire.records import EncodedEvent

_MOST_BYTES = 128_000_000
"""Of events that wait to be written. What comes beyond waits for room; where none is made, it is lost."""
_REPORTED = 4
"""Times as much for what comes by delivery reports, while databases take events: it was in memory before."""
_FOR_ROOM = 1.0
"""Seconds; then nobody waits for room until a database takes events again."""
_PATIENCE = 60.0
"""Seconds for which an event is tried again that a database refuses which takes connections."""


def spill(
    events: Iterable[EncodedEvent], error: Exception, *, database: str | None = None, until: float | None = None
) -> None:
    """
    Keep events that Kafka did not confirm, for the reason given. Raises nothing, and takes no time unless more events
    wait than memory is for: then until the time given, by the monotonic clock. None: by a delivery report, which others
    come after.

    They go into the outbox of a database, None: the default one, which also takes what belongs to one without tables.
    Each event becomes an EventSpilled once it is written, or an EventUndelivered if it is lost.
    """
    _of_this_process().put([Waiting(one, error, database or DEFAULT_DB_ALIAS) for one in events], until)


def start_writer() -> None:
    """Have this process's thread write what will be spilled."""
    _of_this_process().start()


def finish(seconds: float) -> int:
    """Before a process ends, wait so many seconds until all is written. Return how many events were lost by then."""
    return _of_this_process().finish(seconds)


class _Spill:
    """The events of one process that wait to be written."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queues: dict[str, Queue] = {}
        self._bytes = 0
        self._writer: threading.Thread | None = None
        self._is_idle = False
        """Whether the writer has told of all, and closed its connections."""
        self._takes = True
        """Whether databases take events, as far as is known."""
        self._finishing = 0

    def start(self) -> None:
        with self._changed:
            if self._writer is None or not self._writer.is_alive():
                writer = threading.Thread(target=self._write_all, name="event-bus-spill", daemon=True)
                with suppress(RuntimeError):  # the interpreter ends, or has no room: the next event tries again
                    writer.start()
                    self._writer = writer

    def put(self, events: Iterable[Waiting], until: float | None) -> None:
        refused = []
        with self._changed:
            self.start()
            for one in events:
                if self._has_room(one.size, until):
                    self._add(one)
                else:
                    refused.append(one)
        for one in refused:
            one.told(AppendFailed(f"{_MOST_BYTES:,} bytes of events wait for their database already"))

    def finish(self, seconds: float) -> int:
        with self._changed:
            if self._writer is threading.current_thread():
                return 0  # an observer sends: what waits is written after that
            self._finishing += 1
            try:
                self._hurry(seconds)
            finally:
                self._finishing -= 1
            left = [one for queue in self._queues.values() for one in self._taken(queue, list(queue.waiting))]
        for one in left:
            one.told(AppendFailed("the process ended before the database took it"))
        return len(left)

    def _hurry(self, seconds: float) -> None:
        if self._waits():
            self.start()
        for queue in self._queues.values():
            queue.due = 0.0
        self._changed.notify_all()
        if self._writer is not None:
            self._changed.wait_for(lambda: self._is_idle and not self._waits(), seconds)

    def _waits(self) -> int:
        return sum(len(queue.waiting) for queue in self._queues.values())

    def _has_room(self, size: int, until: float | None) -> bool:
        def fits(times: int = 1) -> bool:
            return self._bytes + size <= times * _MOST_BYTES

        if until is None:
            return fits(_REPORTED if self._takes else 1)
        if not fits() and self._takes and (seconds := until - monotonic()) > 0:
            self._takes = self._changed.wait_for(fits, min(seconds, _FOR_ROOM))
        return fits()

    def _add(self, one: Waiting) -> None:
        self._queues.setdefault(one.database, Queue(one.database)).waiting.append(one)
        self._bytes += one.size
        self._changed.notify_all()

    def _taken(self, queue: Queue, batch: list[Waiting]) -> list[Waiting]:
        with self._changed:
            taken = queue.take(batch)
            self._bytes -= sum(one.size for one in taken)
            self._changed.notify_all()
        return taken

    def _write_all(self) -> None:
        try:
            while True:
                if following := self._next():
                    self._write(*following)
                else:
                    self._rest()
        finally:
            _close()

    def _next(self) -> tuple[Queue, list[Waiting]] | None:
        """Wait for the queue whose turn it is, and return its first batch; None where nothing waits."""
        with self._changed:
            while filled := [queue for queue in self._queues.values() if queue.waiting]:
                queue = min(filled, key=lambda queue: queue.due)
                seconds = queue.due - monotonic()
                if seconds <= 0:
                    return queue, queue.batch()
                self._changed.wait(seconds)
        return None

    def _rest(self) -> None:
        _close()
        with self._changed:
            self._is_idle = True
            self._changed.notify_all()
            self._changed.wait_for(self._waits)
            self._is_idle = False

    def _write(self, queue: Queue, batch: list[Waiting]) -> None:
        try:
            put_into([one.event for one in batch], queue.database)
        except OutboxMissing as error:
            self._missing(queue, batch, error)
        except Exception as error:  # noqa: BLE001 whatever a database does: what waits must go on
            self._failed(queue, batch, error)
        else:
            queue.written(monotonic())
            self._takes = True
            self._done(queue, batch, None)

    def _missing(self, queue: Queue, batch: list[Waiting], error: Exception) -> None:
        if queue.database == DEFAULT_DB_ALIAS:
            self._done(queue, batch, error)
            return
        with self._changed:
            for one in self._taken(queue, batch):
                one.database = DEFAULT_DB_ALIAS
                self._add(one)

    def _failed(self, queue: Queue, batch: list[Waiting], error: Exception) -> None:
        """Try again on a new connection, and where there is one, with fewer: it may be one event that was refused."""
        _close()
        with self._changed:
            waiting = self._waits()
        emit(SpillDelayed(database=queue.database, error=error, waiting=waiting))
        answers = _answers(queue.database)
        if answers and len(batch) > 1:
            queue.halve(batch)
            return
        if answers:
            self._refused(queue, batch[0], error)
        with self._changed:
            self._takes = self._takes and answers
            queue.put_off(monotonic(), at_most=FIRST_PAUSE if self._finishing else inf)

    def _refused(self, queue: Queue, one: Waiting, error: Exception) -> None:
        """Let it wait behind the others; give it up in the end, but not for its first refusal."""
        if one.refused_at is not None and (self._finishing or monotonic() - one.refused_at > _PATIENCE):
            self._done(queue, [one], error)
            return
        one.refused_at = one.refused_at or monotonic()
        with self._changed:
            for again in self._taken(queue, [one]):
                self._add(again)

    def _done(self, queue: Queue, batch: list[Waiting], error: Exception | None) -> None:
        for one in self._taken(queue, batch):
            one.told(error, queue.database)


_by_pid: dict[int, _Spill] = {}
"""A child has nothing to do with what its parent has to write."""


def _of_this_process() -> _Spill:
    pid = os.getpid()
    return _by_pid.get(pid) or _by_pid.setdefault(pid, _Spill())


def _answers(database: str) -> bool:
    """Whether a database takes a connection and answers: then it was the events that it refused."""
    with suppress(Exception), connections[database].cursor() as cursor:
        cursor.execute("SELECT 1")
        return True
    return False


def _close() -> None:
    """Close this thread's connections, and forget them: the next ones are new."""
    for connection in connections.all(initialized_only=True):
        with suppress(Exception):
            connection.close()
        del connections[connection.alias]
