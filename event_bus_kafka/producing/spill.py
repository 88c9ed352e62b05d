"""
Spill: what Kafka did not confirm goes into the outbox, from where a relay brings it.

Whoever finds out only notes it. A delivery report comes in the midst of a poll; and a request may be in a transaction,
with which a row of its own would roll back, and whose lock, on SQLite, another connection would wait for. So a thread
writes, one for each database: one that hangs must not hold up the others.
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
    """Keeps what Kafka did not confirm until it is in the outbox. One for a process and its children."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._by_pid: dict[int, dict[str, SpillWriter]] = {}
        """By process and database: a child has nothing to do with what its parent has to write."""

    def waits_for_clients(self) -> bool:
        """Whether an event waits that is sent where there is no outbox."""
        return any(writer.buffer.waits_for_clients() for writer in tuple(self._writers().values()))

    def waiting(self) -> tuple[int, int]:
        """Return how many events wait in memory, and how many bytes of it they take. Any thread may ask."""
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
        Keep events that Kafka did not confirm because of ``error``; None: that were to be in the outbox, whose
        database could not be waited for. Never raises. Blocks only while memory is full, at most until ``until``
        (monotonic); None, for delivery reports: never blocks.

        They go into the outbox of ``database``, by default of that which the routers name, which also takes what
        belongs to a database without tables, or that takes no rows. Each event becomes an EventSpilled once it is
        written, or without ``error`` an EventAppended; an EventUndelivered if it is lost. Where there is no outbox at
        all, ``otherwise`` is called with it, again and again while it raises.
        """
        kept = None if error is None else without_traceback(error)
        buffer = self._writer_of(database).buffer
        for one in [BufferedEvent(event, kept, otherwise) for event in events]:
            if not buffer.put(one, until):
                one.lost(AppendFailed(f"{MOST_BYTES:,} bytes of events wait for their database already"))

    def start_writer(self) -> None:
        """Have the thread of the database that takes what no other takes: when Python ends none can be started."""
        self._writer_of(None)

    def finish(self, seconds: float) -> int:
        """Wait as :meth:`settle` does, as a process ends. Return how many events were lost."""
        return sum(writer.give_up() for writer in self.settle(seconds))

    def settle(self, seconds: float) -> list[SpillWriter]:
        """Wait at most ``seconds`` until no event waits any more. Return the writers that were waited for."""
        until = monotonic() + seconds
        writers = list(self._writers().values())
        if threading.current_thread() in writers:
            return []  # an observer sends: what waits is written after that
        for writer in writers:
            writer.buffer.hurry(until)
        for writer in writers:
            writer.settle(until)
        return writers

    def _writers(self) -> dict[str, SpillWriter]:
        return self._by_pid.setdefault(os.getpid(), {})

    def _writer_of(self, database: str | None) -> SpillWriter:
        """
        Return who writes into ``database``, else into the one that the routers name, else into the default one. One
        that routers bar is not tried first. When Python ends, no new thread can be started, and another's takes all.
        """
        last = home()
        with suppress(Exception):  # of routers, and of an alias that is not there
            if database and not may_have_outbox(connections[database]):
                database = last
        databases = tuple(dict.fromkeys([database or last, last, DEFAULT_DB_ALIAS]))
        writers = self._writers()
        writer = writers.get(databases[0]) or writers.setdefault(databases[0], SpillWriter(databases, self._outbox))
        return writer if writer.runs() else writers.get(last, writer)
