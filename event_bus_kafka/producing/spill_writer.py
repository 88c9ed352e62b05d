"""The thread that writes into the outbox of one database, by itself, what waits in memory for it."""

from __future__ import annotations

import threading
from contextlib import suppress
from time import monotonic

from django.db import connections

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.producing.spill_buffer import BufferedEvent, SpillBuffer
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, SpillDelayed
from event_bus_kafka.telemetry.guards import kept_alive

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
        self.thread: threading.Thread | None = None
        self.buffer = SpillBuffer()
        self._database = database
        self._fallback = fallback
        self._outbox = outbox
        self._is_idle = False
        """Whether it has told of all, and closed its connection."""

    def start(self) -> bool:
        """Have a thread. Return whether there is one: when the interpreter ends, none can be started."""
        with self.buffer.changed:
            if self.thread is None:
                name = f"event-bus-spill-{self._database}"
                thread = threading.Thread(target=self._write_all, name=name, daemon=True)
                with suppress(RuntimeError):
                    thread.start()
                    self.thread = thread
            return self.thread is not None

    def settle(self, until: float) -> None:
        """Wait until all is written, or has gone elsewhere, at most until ``until`` (monotonic)."""
        with self.buffer.changed:
            if self.thread is not None:
                self.buffer.changed.wait_for(lambda: self._is_idle and not self.buffer, max(until - monotonic(), 0.0))

    def give_up(self) -> int:
        """Lose what waits, and return how much that is."""
        left = self.buffer.take_all()
        self._is_idle = self._is_idle or bool(left)  # nobody waits for an INSERT of what is given up
        for one in left:
            one.lost(AppendFailed("the process ended before the database took it"))
        return len(left)

    def _write_all(self) -> None:
        while True:
            with kept_alive():
                if batch := self._next():
                    self._write(batch)
                continue
            self.buffer.put_off()

    def _next(self) -> list[BufferedEvent]:
        """Wait for what may be written now; none if it was given up meanwhile."""
        if not self.buffer:
            _close()
        with self.buffer.changed:
            self._is_idle = not self.buffer
            self.buffer.changed.notify_all()
            self.buffer.changed.wait_for(lambda: self.buffer)
            self._is_idle = False
            return self.buffer.next_batch()

    def _write(self, batch: list[BufferedEvent]) -> None:
        """Write a batch; where the database answers and refuses it, event by event, for it may be one that it means."""
        error = self._try(batch)
        if error is None:
            return
        emit(SpillDelayed(database=self._database, error=error, waiting=len(self.buffer)))
        goes_on = batch[0].was_refused and bool(self.buffer.waiting)
        wrote = False
        for refused, one in enumerate(batch):
            if not _answers(self._database) or (refused == _ENOUGH and not wrote):
                break
            error = self._try([one]) if len(batch) > 1 else error
            wrote = wrote or error is None
            if error is not None:
                self._refused(one, error)
        if wrote or goes_on:
            self.buffer.rest_refused()
        else:
            self.buffer.put_off()

    def _try(self, batch: list[BufferedEvent]) -> Exception | None:
        """Return what kept a batch from being written; none, too, where it goes to the fallback."""
        try:
            self._outbox.append_separately([one.event for one in batch], self._database)
        except OutboxMissing as error:
            self._send_otherwise(batch, error)
        except Exception as error:  # noqa: BLE001 whatever a database does: what waits must go on
            _close()  # a new connection is next
            return error
        else:
            connections[self._database].queries_log.clear()  # filled under DEBUG, with event data
            self.buffer.written()
            for one in self.buffer.take(batch):
                one.written(self._database)
        return None

    def _send_otherwise(self, batch: list[BufferedEvent], missing: OutboxMissing) -> None:
        if self._fallback is not None:
            self._fallback.buffer.add(*self.buffer.take(batch))
            return
        for one in batch:
            if one.otherwise is None:
                self._lose(one, missing)
            elif self.buffer:  # it was not given up meanwhile
                if one.error is None:
                    emit(AppendToOutboxFailed(**one.event.names, error=missing, doomed=False))
                try:
                    one.otherwise(one.event)
                except Exception:  # noqa: BLE001 whatever it is, it may pass
                    self.buffer.put_off()
                    return
                self.buffer.take([one])

    def _refused(self, one: BufferedEvent, error: Exception) -> None:
        """Put an event aside that was refused alone. Give it up only where the database goes on taking others."""
        if monotonic() - one.refused_at > _PATIENCE and self.buffer.written_at > one.refused_at:
            self._lose(one, error)
        else:
            self.buffer.put_aside(one)

    def _lose(self, one: BufferedEvent, error: Exception) -> None:
        for lost in self.buffer.take([one]):
            lost.lost(error)


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
