"""
Spill: what Kafka did not confirm goes into the outbox, from where a relay brings it.

Whoever finds out only notes it. A delivery report comes in the midst of a poll; and a request may be in a transaction,
with which a row of its own would roll back, and whose lock, on SQLite, another connection would wait for. So a thread
writes, one for each database: one that hangs must not hold up the others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from time import monotonic

from django.db import DEFAULT_DB_ALIAS

from event_bus_kafka.producing.spill_buffer import BufferedEvent
from event_bus_kafka.producing.spill_writer import SpillWriter
from event_bus_kafka.wire.records import EncodedEvent

_by_pid: dict[int, dict[str, SpillWriter]] = {}
"""By process and database: a child has nothing to do with what its parent has to write."""


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
    _writer_of(database or DEFAULT_DB_ALIAS).put([BufferedEvent(one, error) for one in events], until)


def start_writer() -> None:
    """Have this process's thread of the default database: at the end of the interpreter none can be started."""
    _writer_of(DEFAULT_DB_ALIAS)


def finish(seconds: float) -> int:
    """Before a process ends, wait so many seconds until all is written. Return how many events were lost by then."""
    writers = list(_writers().values())
    if threading.current_thread() in [writer.thread for writer in writers]:
        return 0  # an observer sends: what waits is written after that
    writers.sort(key=lambda writer: writer.fallback is None)  # the others may leave something to the default one
    until = monotonic() + seconds
    for writer in writers:
        writer.hurry()
    return sum(writer.finish(until - monotonic()) for writer in writers)


def _writers() -> dict[str, SpillWriter]:
    return _by_pid.setdefault(os.getpid(), {})


def _writer_of(database: str) -> SpillWriter:
    fallback = None if database == DEFAULT_DB_ALIAS else _writer_of(DEFAULT_DB_ALIAS)
    writer = _writers().get(database) or _writers().setdefault(database, SpillWriter(database, fallback))
    has_thread = writer.start()
    return writer if has_thread or fallback is None else fallback
