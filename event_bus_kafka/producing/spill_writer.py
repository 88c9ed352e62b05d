"""The thread that writes into the outbox of one database, by itself, what waits in memory for it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from time import monotonic

from django.db import connections

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.producing.spill_buffer import FIRST_PAUSE, BufferedEvent, SpillBuffer
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import SpillDelayed
from event_bus_kafka.telemetry.guards import kept_alive

_MOST_BYTES = 128_000_000
"""Of events that wait for a database. What comes beyond waits for room; where none is made, it is lost."""
_REPORTED = 4
"""
Times as much for what comes by delivery reports, while the database takes events: a report cannot wait, and what the
database would take a moment later must not be lost. In memory it was before.
"""
_FOR_ROOM = 1.0
"""Seconds; then nobody waits for room until the database takes events again."""
_ENOUGH = 10
"""Events that a database refuses, one after the other, until it is taken for one that refuses all."""
_PATIENCE = 60.0
"""Seconds after which an event is given up that a database refuses, while it takes others."""


class SpillWriter:
    """
    What waits for one database, and the thread that writes it: hundreds of events with one INSERT, on a connection of
    its own, which it has only while something waits. It is there to the end of the process.
    """

    def __init__(self, database: str, fallback: SpillWriter | None, outbox: Outbox) -> None:
        """``fallback``: gets what waits if the database has no outbox."""
        self.fallback = fallback
        self.rank: int = fallback.rank + 1 if fallback else 0
        """How many others may get what waits here."""
        self.thread: threading.Thread | None = None
        self._database = database
        self._outbox = outbox
        self._changed = threading.Condition()
        self._queue = SpillBuffer()
        self._is_idle = False
        """Whether it has told of all, and closed its connection."""
        self._takes = True
        """Whether the database takes events, as far as is known."""
        self._finishing = 0

    def start(self) -> bool:
        """Have a thread. Return whether there is one: when the interpreter ends, none can be started."""
        with self._changed:
            if self.thread is None:
                name = f"event-bus-spill-{self._database}"
                thread = threading.Thread(target=self._write_all, name=name, daemon=True)
                with suppress(RuntimeError):
                    thread.start()
                    self.thread = thread
            return self.thread is not None

    def put(self, events: Iterable[BufferedEvent], until: float | None) -> None:
        """Let events wait, as far as there is room or comes to be by then; the others are lost."""
        refused = []
        with self._changed:
            for one in events:
                if self._has_room(one.size, until):
                    self._add([one])
                else:
                    refused.append(one)
        for one in refused:
            one.lost(AppendFailed(f"{_MOST_BYTES:,} bytes of events wait for their database already"))

    def settle(self, seconds: float) -> None:
        """Wait so long until all is written, or has gone elsewhere."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_done, max(seconds, 0.0))

    def hurry(self) -> None:
        """Try again soon, and so until all who wait for the end have finished."""
        with self._changed:
            self._finishing += 1
            self._queue.due = self._queue.refused_due = 0.0
            self._changed.notify_all()

    def finish(self, seconds: float) -> int:
        """After :meth:`hurry`, wait so long until all is written; give up the rest, and return how much that is."""
        with self._changed:
            if self.thread is not None:
                self._changed.wait_for(lambda: self._is_done, max(seconds, 0.0))
            self._finishing -= 1
            left = self._queue.clear()
        for one in left:
            one.lost(AppendFailed("the process ended before the database took it"))
        return len(left)

    @property
    def _longest_pause(self) -> float:
        return FIRST_PAUSE if self._finishing else inf

    @property
    def _is_done(self) -> bool:
        return self._is_idle and not self._queue

    def _has_room(self, size: int, until: float | None) -> bool:
        def fits(times: int = 1) -> bool:
            return self._queue.bytes + size <= times * _MOST_BYTES

        if until is None:
            return fits(_REPORTED if self._takes else 1)
        if not fits() and self._takes and (seconds := until - monotonic()) > 0:
            self._takes = self._changed.wait_for(fits, min(seconds, _FOR_ROOM))
        return fits()

    def _add(self, events: Iterable[BufferedEvent]) -> None:
        with self._changed:
            for one in events:
                self._queue.add(one)
            self._changed.notify_all()

    def _taken(self, batch: list[BufferedEvent]) -> list[BufferedEvent]:
        with self._changed:
            taken = self._queue.take(batch)
            self._changed.notify_all()
        return taken

    def _write_all(self) -> None:
        while True:
            with kept_alive():
                if batch := self._next():
                    self._write(batch)
                continue
            self._put_off()

    def _next(self) -> list[BufferedEvent]:
        """Wait for what may be written now; none if it was given up meanwhile."""
        if not self._queue:
            _close()
        with self._changed:
            self._is_idle = not self._queue
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._queue)
            self._is_idle = False
            while self._queue and (seconds := self._queue.seconds_to_next(monotonic())) > 0:
                self._changed.wait(seconds)
            return self._queue.batch(monotonic())

    def _write(self, batch: list[BufferedEvent]) -> None:
        """Write a batch; where the database answers and refuses it, event by event, for it may be one that it means."""
        error = self._try(batch)
        if error is None:
            return
        emit(SpillDelayed(database=self._database, error=error, waiting=len(self._queue)))
        wrote, others_wait = False, batch[0].was_refused and bool(self._queue.waiting)
        for refused, one in enumerate(batch):
            if not _answers(self._database) or (refused == _ENOUGH and not wrote):
                break
            error = self._try([one]) if len(batch) > 1 else error
            wrote = wrote or error is None
            if error is not None:
                self._refused(one, error)
        if wrote or others_wait:
            self._queue.rest_refused(monotonic(), at_most=self._longest_pause)
        else:
            self._put_off()

    def _try(self, batch: list[BufferedEvent]) -> Exception | None:
        """Return what kept a batch from being written; none, too, where it goes to the fallback."""
        try:
            self._outbox.append_separately([one.event for one in batch], self._database)
        except OutboxMissing as error:
            self._missing(batch, error)
        except Exception as error:  # noqa: BLE001 whatever a database does: what waits must go on
            _close()  # a new connection is next
            return error
        else:
            self._queue.written(monotonic())
            self._takes = True
            for one in self._taken(batch):
                one.written(self._database)
        return None

    def _missing(self, batch: list[BufferedEvent], error: OutboxMissing) -> None:
        if self.fallback is None:
            self._lose(batch, error)
        else:
            self.fallback._add(self._taken(batch))

    def _refused(self, one: BufferedEvent, error: Exception) -> None:
        """Put an event aside that was refused alone. Give it up only where the database goes on taking others."""
        now = monotonic()
        if now - one.refused_at > _PATIENCE and self._queue.written_at > one.refused_at:
            self._lose([one], error)
            return
        with self._changed:
            self._queue.put_aside(one, now)

    def _put_off(self) -> None:
        with self._changed:
            self._takes = False
            self._queue.put_off(monotonic(), at_most=self._longest_pause)

    def _lose(self, batch: list[BufferedEvent], error: Exception) -> None:
        for one in self._taken(batch):
            one.lost(error)


def _answers(database: str) -> bool:
    """Whether a database takes a connection and answers: then it was the events that it refused."""
    with suppress(Exception):
        connections[database].set_autocommit(True)
        with connections[database].cursor() as cursor:
            cursor.execute("SELECT 1")
        return True
    return False


def _close() -> None:
    """Close this thread's connections, and forget them: the next ones are new."""
    for connection in connections.all(initialized_only=True):
        with suppress(Exception):
            connection.close()
        del connections[connection.alias]
