"""
Spill: what Kafka did not confirm goes into the outbox, from where a relay brings it.

Whoever finds out only notes it. A delivery report comes in the midst of a poll; and a request may be in a transaction,
with which a row of its own would roll back, and whose lock, on SQLite, another connection would wait for. So one thread
per process writes, on connections of its own, hundreds of events with one INSERT. It lives as long as there is
something to write.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import takewhile
from time import monotonic, sleep

import attrs
from django.db import DEFAULT_DB_ALIAS, Error, connections

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.producing.aside import put_into
from event_bus_kafka.producing.transactions import is_open
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import EventSpilled, EventUndelivered, SpillDelayed
from event_bus_kafka.wire.records import EncodedEvent

_MOST_BYTES = 128_000_000
"""Of events that wait to be written. What comes beyond waits for room; where none is made, it is lost."""
_FOR_ROOM = 1.0
"""Seconds; then nobody waits for room until the database takes events again."""
_OVERHEAD = 2_000
"""Bytes of memory, nearly, that an event takes besides its contents."""
_BATCH = 500
_BATCH_BYTES = 2_000_000
"""As ``append`` puts into one INSERT: one batch is written whole or not at all."""
_PATIENCE = 60.0
"""Seconds for which an event is tried that its database does not take."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_IDLE = 1.0
"""Seconds without anything to write after which the thread ends and closes its connections."""


def spill(events: Iterable[EncodedEvent], error: Exception, *, database: str | None = None) -> None:
    """
    Keep events that Kafka did not confirm, for the reason given. Raises nothing, and takes no time unless more events
    wait than memory is for.

    They go into the outbox of a database, None: the default one, which also takes what belongs to one without tables.
    Each event becomes an EventSpilled once it is written, or an EventUndelivered if it is lost.
    """
    _of_this_process().put([_Waiting(one, _plain(error), database or DEFAULT_DB_ALIAS) for one in events])


def finish(seconds: float) -> int:
    """
    Write all that waits, in so many seconds: before a process ends. Return how many events were lost for lack of time.
    """
    return _of_this_process().finish(seconds)


@attrs.frozen(eq=False)
class _Waiting:
    """An event on its way into the outbox."""

    event: EncodedEvent
    error: Exception
    database: str
    since: float = attrs.field(factory=monotonic)

    @property
    def size(self) -> int:
        return _OVERHEAD + len(self.event.key) + len(self.event.value or b"")

    def told(self, error: Exception | None, database: str = "") -> None:
        """Say that it is written, or why it is not and never will be."""
        destination, id_ = self.event.destination, self.event.event_id
        names = {"topic": destination.topic, "event_type": destination.event_type, "event_id": id_}
        if error is None:
            emit(EventSpilled(**names, error=self.error, database=database))
        else:
            emit(EventUndelivered(**names, error=self.error, obstacle=error))


class _Spill:
    """The events of one process that wait to be written, in the order in which they came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._writer: threading.Thread | None = None
        self._limit = _BATCH
        self._pause = _FIRST_PAUSE
        self._takes = True
        """Whether the database takes events, as far as is known."""
        self._ending = threading.Event()

    def put(self, events: Iterable[_Waiting]) -> None:
        refused = []
        with self._changed:
            for one in events:
                if not self._has_room(one.size):
                    refused.append(one)
                    continue
                self._waiting.append(one)
                self._bytes += one.size
                self._start()
            self._changed.notify_all()
        for one in refused:
            one.told(AppendFailed(f"{_MOST_BYTES:,} bytes of events wait for their database already"))

    def finish(self, seconds: float) -> int:
        deadline = monotonic() + seconds
        self._ending.set()
        with self._changed:
            self._changed.notify_all()
            self._start()
            writer = self._writer
        if writer is not None:
            writer.join(seconds)
        while self._writer is None and monotonic() < deadline and (batch := self._first()):
            _leave_transactions()
            self._write(batch)  # no thread can be started while the interpreter ends
        self._ending.clear()
        with self._changed:
            left, self._waiting, self._bytes = self._waiting, deque(), 0
        for one in left:
            one.told(AppendFailed("the process ended before the database took it"))
        return len(left)

    def _has_room(self, size: int) -> bool:
        def fits() -> bool:
            return self._bytes + size <= _MOST_BYTES

        if not fits() and self._takes:
            self._takes = self._changed.wait_for(fits, _FOR_ROOM)
        return fits()

    def _start(self) -> None:
        if self._writer is None and self._waiting:
            writer = threading.Thread(target=self._write_all, name="event-bus-spill", daemon=True)
            try:
                writer.start()
            except RuntimeError:  # the interpreter ends
                return
            self._writer = writer

    def _write_all(self) -> None:
        while batch := self._next():
            self._write(batch)
        _close()

    def _next(self) -> list[_Waiting]:
        """Wait for something to write; without it the thread ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending.is_set(), _IDLE)
            batch = self._first()
            if not batch:
                self._writer = None
            return batch

    def _first(self) -> list[_Waiting]:
        """Return what goes into the next INSERT; it stays among what waits until it is written."""
        batch: list[_Waiting] = []
        with self._changed:
            room = _BATCH_BYTES
            for one in takewhile(lambda one: one.database == self._waiting[0].database, self._waiting):
                room -= one.size
                if batch and (room < 0 or len(batch) == self._limit):
                    break
                batch.append(one)
        return batch

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            database = put_into([one.event for one in batch], batch[0].database)
        except OutboxMissing as error:
            self._done(batch, error)
        except Exception as error:  # noqa: BLE001 whatever a database does: what waits must go on
            self._failed(batch, error)
        else:
            self._limit = min(self._limit * 2, _BATCH)
            self._pause = _FIRST_PAUSE
            self._takes = True
            self._done(batch, None, database)

    def _failed(self, batch: list[_Waiting], error: Exception) -> None:
        """Try again on a new connection, with fewer: one event may be what the database refuses."""
        _close()
        if len(batch) == 1 and monotonic() - batch[0].since > _PATIENCE:
            self._done(batch, error)
            return
        emit(SpillDelayed(database=batch[0].database, error=error, waiting=len(self._waiting)))
        self._limit = max(len(batch) // 2, 1)
        if self._ending.wait(self._pause):
            sleep(_FIRST_PAUSE)
        else:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _done(self, batch: list[_Waiting], error: Exception | None, database: str = "") -> None:
        with self._changed:
            for one in batch:
                if self._waiting and self._waiting[0] is one:  # unless the process has given it up
                    self._waiting.popleft()
                    self._bytes -= one.size
            self._changed.notify_all()
        for one in batch:
            one.told(error, database)


_by_pid: dict[int, _Spill] = {}
"""A child has nothing to do with what its parent has to write."""


def _of_this_process() -> _Spill:
    pid = os.getpid()
    return _by_pid.get(pid) or _by_pid.setdefault(pid, _Spill())


def _leave_transactions() -> None:
    """At the end of a process nobody will commit what its thread has left open."""
    if any(map(is_open, connections.all(initialized_only=True))):
        _close()


def _close() -> None:
    """Close this thread's connections."""
    for connection in connections.all(initialized_only=True):
        with suppress(Error):
            connection.close()


def _plain(error: Exception) -> Exception:
    """Without its traceback, whose frames would hold requests and event data as long as the event waits."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
