"""
Spill: puts events that Kafka did not confirm into the outbox, for a relay.

The caller puts the event into a buffer, and a separate thread inserts the row. A delivery report cannot insert the row,
because it must not block a poll. A request cannot insert the row, because the rollback of its transaction would remove
the row; on SQLite, a second connection would wait for this transaction. Each database has its own thread, so that a
database that hangs does not delay the others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from time import monotonic

from django.db import DEFAULT_DB_ALIAS, connections

from event_bus_kafka.errors import AppendFailed, without_traceback
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.outbox.database import home, may_have_outbox
from event_bus_kafka.producing.spill_buffer import MOST_BYTES, BufferedEvent
from event_bus_kafka.producing.spill_writer import SpillWriter
from event_bus_kafka.wire.records import EncodedEvent


class Spill:
    """Keeps unconfirmed events until they are in the outbox. One object serves a process and its children."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._by_pid: dict[int, dict[str, SpillWriter]] = {}
        """Process id → alias of a database → writer. A child process must not use its parent's writers."""

    def waits_for_clients(self) -> bool:
        """Return whether any waiting event has an ``otherwise``, which sends the event if no database has an outbox."""
        return any(writer.buffer.waits_for_clients() for writer in tuple(self._writers().values()))

    def waiting(self) -> tuple[int, int]:
        """Return the number of events that wait in memory, and their size in bytes. Any thread may call this method."""
        buffers = [writer.buffer for writer in tuple(self._writers().values())]
        return sum(map(len, buffers)), sum(buffer.bytes for buffer in buffers)

    def spill(
        self,
        events: Iterable[EncodedEvent],
        error: Exception | None,
        *,
        database: str | None = None,
        until: float | None = None,
        otherwise: Callable[[EncodedEvent], None] | None = None,
    ) -> None:
        """
        Keep events that Kafka did not confirm because of ``error``. Never raises.

        ``error``: None if the events were meant for the outbox, and were not sent to Kafka. ``until``: monotonic time
        until which the call may block while the buffer is full. If ``until`` is None, as for delivery reports, the call
        never blocks.

        ``database``: alias of the database whose outbox gets the events; None: the database that the routers choose. If
        ``database`` has no tables or does not accept rows, the database that the routers choose gets the events
        instead, or else the default database.

        After the INSERT of an event EventSpilled is emitted, or EventAppended if ``error`` is None. If an event is
        lost, EventUndelivered is emitted. ``otherwise``: called with each event if no database has an outbox. If
        ``otherwise`` raises, it is called again.
        """
        kept = None if error is None else without_traceback(error)
        buffer = self._writer_of(database).buffer
        for one in [BufferedEvent(event, kept, otherwise) for event in events]:
            if not buffer.put(one, until):
                one.lost(AppendFailed(f"{MOST_BYTES:,} bytes of events are waiting for their database already"))

    def start_writer(self) -> None:
        """
        Start the writer for the database that the routers choose, even before it gets an event, because no thread can
        start at the end of the interpreter. At that time this writer also gets the events of databases whose writer
        does not run.
        """
        self._writer_of(None)

    def finish(self, seconds: float) -> int:
        """
        Wait as :meth:`settle` does. Then give up the events that still wait, because the process ends. Return the
        number of given-up events, which are lost.
        """
        return sum(writer.give_up() for writer in self.settle(seconds))

    def holds(self, event_ids: Set[str]) -> bool:
        """Return whether all events in ``event_ids`` wait here, and none of them has an ``otherwise``."""
        return event_ids <= {one for writer in tuple(self._writers().values()) for one in writer.buffer.event_ids()}

    def give_up(self, event_ids: Set[str]) -> None:
        """Give up the events in ``event_ids`` that still wait. The caller sends these events again."""
        for writer in tuple(self._writers().values()):
            for one in writer.buffer.take_out(event_ids):
                one.lost(AppendFailed("the database did not accept the event in time"))

    def settle(self, seconds: float) -> list[SpillWriter]:
        """Wait at most ``seconds`` until no event waits any more. Return the writers for which this call has waited."""
        until = monotonic() + seconds
        writers = list(self._writers().values())
        if threading.current_thread() in writers:
            return []  # called by an observer in a writer's thread: the writer continues afterwards
        for writer in writers:
            writer.buffer.hurry(until)
        for writer in writers:
            writer.settle(until)
        return writers

    def _writers(self) -> dict[str, SpillWriter]:
        return self._by_pid.setdefault(os.getpid(), {})

    def _writer_of(self, database: str | None) -> SpillWriter:
        """
        Return the writer for ``database``. If ``database`` is None, or if the routers allow no outbox in this database,
        return the writer for the database that the routers choose.

        At the end of the interpreter, when no thread can start, the writer for ``database`` may not be running. Then
        return the writer for the database that the routers choose.
        """
        last = home()
        with suppress(Exception):  # a router may raise, or the alias may not exist
            if database and not may_have_outbox(connections[database]):
                database = last
        databases = tuple(dict.fromkeys([database or last, last, DEFAULT_DB_ALIAS]))
        writers = self._writers()
        writer = writers.get(databases[0]) or writers.setdefault(databases[0], SpillWriter(databases, self._outbox))
        return writer if writer.runs() else writers.get(last, writer)
