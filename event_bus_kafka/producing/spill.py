"""
Spill: puts events that Kafka did not confirm into the outbox, for a relay.

The caller only puts the event into a buffer, and a thread inserts the row. The caller cannot insert it: it may be a
delivery report during a poll, or a request in a transaction. A row of that transaction would be rolled back with the
transaction, and on SQLite a second connection would wait for the transaction's lock. There is one thread per database,
so that a database that hangs does not delay the others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
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
        """Process id → alias of a database → writer. A child does not write the events of its parent."""

    def waits_for_clients(self) -> bool:
        """Return whether an event waits for clients, because no database has an outbox."""
        return any(writer.buffer.waits_for_clients() for writer in tuple(self._writers().values()))

    def waiting(self) -> tuple[int, int]:
        """Return the number of events that wait in memory, and their bytes. Any thread may call it."""
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

        ``error`` is None for events that were meant for the outbox but could not wait for its database. Blocks only
        while the buffer is full, at most until ``until`` (monotonic). If ``until`` is None, as for delivery reports,
        never blocks.

        The events go into the outbox of ``database``; None: of the database that the routers choose. If ``database``
        has no tables or does not accept rows, its events go to the routers' choice, too. For each event EventSpilled is
        emitted after its INSERT (EventAppended if ``error`` is None), or EventUndelivered if the event is lost. If no
        database has an outbox, ``otherwise`` is called with the event, repeatedly while it raises.
        """
        kept = None if error is None else without_traceback(error)
        buffer = self._writer_of(database).buffer
        for one in [BufferedEvent(event, kept, otherwise) for event in events]:
            if not buffer.put(one, until):
                one.lost(AppendFailed(f"{MOST_BYTES:,} bytes of events are waiting for their database already"))

    def start_writer(self) -> None:
        """
        Start the default writer in advance: at the end of the interpreter no thread can start, and this writer gets the
        events of all databases.
        """
        self._writer_of(None)

    def finish(self, seconds: float) -> int:
        """
        Wait as :meth:`settle` does; then give up the events that are still waiting, because the process ends. Return
        the number of lost events.
        """
        return sum(writer.give_up() for writer in self.settle(seconds))

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
        Return the writer for ``database``; None: for the database that the routers choose.

        A ``database`` in which the routers allow no outbox counts as None. At the interpreter's end, when no thread can
        start, a running writer gets all events.
        """
        last = home()
        with suppress(Exception):  # routers raise, or the alias does not exist
            if database and not may_have_outbox(connections[database]):
                database = last
        databases = tuple(dict.fromkeys([database or last, last, DEFAULT_DB_ALIAS]))
        writers = self._writers()
        writer = writers.get(databases[0]) or writers.setdefault(databases[0], SpillWriter(databases, self._outbox))
        return writer if writer.runs() else writers.get(last, writer)
