"""The thread that inserts waiting events into the outbox of one database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from time import monotonic, sleep

from django.db import connections

from event_bus_kafka.errors import AppendFailed, OutboxMissing
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.producing.spill_buffer import BufferedEvent, SpillBuffer
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, SpillDelayed
from event_bus_kafka.telemetry.guards import kept_alive

_ENOUGH = 10
"""If a database refuses this number of events at the start of a batch, the other events of the batch wait."""
_PATIENCE = 60.0
"""Seconds after which an event that the database refuses is given up, if the database accepts other events."""
_REST = 0.1
"""Seconds to wait after an unexpected exception."""


class SpillWriter(Thread):
    """
    The thread that inserts waiting events into one database, hundreds per INSERT.

    The thread has its own connection while events wait. It runs until the process ends.
    """

    def __init__(self, databases: Sequence[str], outbox: Outbox) -> None:
        """``databases``: aliases. Events go into the outbox of the first database that has an outbox."""
        super().__init__(name=f"event-bus-spill-{databases[0]}", daemon=True)
        self.buffer = SpillBuffer()
        self._databases = databases
        self._outbox = outbox
        self._is_idle = False
        """Whether the thread has reported all events and closed its connection, or its events were given up."""

    def runs(self) -> bool:
        """Start the thread if necessary; return whether it runs. At the interpreter's end no thread can start."""
        with self.buffer.changed, suppress(RuntimeError):
            if not self.is_alive():
                self.start()
        return self.is_alive()

    def settle(self, until: float) -> None:
        """Wait while any event waits, at most until ``until`` (monotonic). Do not wait if the thread does not run."""
        with self.buffer.changed:
            if self.is_alive():
                self.buffer.changed.wait_for(lambda: self._is_idle and not self.buffer, until - monotonic())

    def give_up(self) -> int:
        """Give up all waiting events; return the number of lost events."""
        left = self.buffer.take_all()
        self._is_idle = self._is_idle or bool(left)  # settle() must not wait for the INSERT of given-up events
        for one in left:
            one.lost(AppendFailed("the process ended before the database accepted the event"))
        return len(left)

    def run(self) -> None:
        while True:
            with kept_alive():
                if batch := self._next():
                    self._write(batch)
                continue
            sleep(_REST)

    def _next(self) -> list[BufferedEvent]:
        """Wait for the next events to insert; return an empty list if they were given up meanwhile."""
        if not self.buffer:
            _close()
        with self.buffer.changed:
            self._is_idle = not self.buffer
            self.buffer.changed.notify_all()
            self.buffer.changed.wait_for(lambda: self.buffer)
            self._is_idle = False
            return self.buffer.next_batch()

    def _write(self, batch: list[BufferedEvent]) -> None:
        """
        Insert a batch. If the database answers but refuses the batch, insert the events one by one to find the refused
        events.
        """
        failure = self._try(batch)
        if failure is None:
            return
        database, error = failure
        emit(SpillDelayed(database=database, error=error, waiting=len(self.buffer)))
        wrote = False
        for tried, one in enumerate(batch):
            if (tried == _ENOUGH and not wrote) or not _answers(database):
                self.buffer.put_off(one)
                return
            failure = self._try([one]) if len(batch) > 1 else failure
            if failure is None:
                wrote = True
            else:
                self._refused(one, failure[1])

    def _try(self, batch: list[BufferedEvent]) -> tuple[str, Exception] | None:
        """
        Insert a batch into the first database that has an outbox. If this database fails, return its alias and its
        error. Otherwise return None. If no database has an outbox, send each event with its ``otherwise``, or lose it.
        """
        for database in self._databases:
            try:
                self._outbox.append_separately([one.event for one in batch], database)
            except OutboxMissing as error:
                if database == self._databases[-1]:
                    self._send_otherwise(batch, error)
            except Exception as error:  # noqa: BLE001 after any error of a database the thread must continue
                _close()  # the next attempt opens a new connection
                return database, error
            else:
                connections[database].queries_log.clear()  # filled under DEBUG, with event data
                self.buffer.took_at = monotonic()
                for one in self.buffer.take(batch):
                    one.written(database)
                break
        return None

    def _send_otherwise(self, batch: list[BufferedEvent], missing: OutboxMissing) -> None:
        for one in batch:
            if one.otherwise is None:
                self._lose(one, missing)
            elif self.buffer:  # it was not given up meanwhile
                if one.error is None:
                    emit(AppendToOutboxFailed(**one.event.names, error=missing, doomed=False))
                try:
                    one.otherwise(one.event)
                except Exception:  # noqa: BLE001 any error may pass
                    self.buffer.put_off(one)
                    return
                self.buffer.take([one])

    def _refused(self, one: BufferedEvent, error: Exception) -> None:
        """
        Keep an event that the database refused when it was inserted alone. Give up the event only if it was first
        refused more than ``_PATIENCE`` seconds ago, and the database has accepted another event since.
        """
        is_late = one.was_refused and monotonic() - one.since > _PATIENCE
        if is_late and self.buffer.took_at > one.since:
            self._lose(one, error)
        else:
            self.buffer.put_aside(one)

    def _lose(self, one: BufferedEvent, error: Exception) -> None:
        for lost in self.buffer.take([one]):
            lost.lost(error)


def _answers(database: str) -> bool:
    """
    Return whether a database accepts a connection and answers. If it does, the events are assumed to have caused the
    failure of their INSERT.
    """
    with suppress(Exception):
        connections[database].set_autocommit(True)
        return connections[database].is_usable()
    return False


def _close() -> None:
    """Close and forget this thread's connections."""
    for connection in connections.all(initialized_only=True):
        with suppress(Exception):
            connection.close()
        del connections[connection.alias]
