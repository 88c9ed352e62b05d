"""
Flushes sent events at the end of a process, and spills events that Kafka has not confirmed.

``atexit`` is not enough, because children of multiprocessing and celery end without calling it. uWSGI's workers may do
the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.util import Finalize, is_exiting
from time import monotonic
from typing import Any, cast

from event_bus_kafka.producing.inherited import own_clients
from event_bus_kafka.producing.routing import SendingLimits
from event_bus_kafka.producing.spill import Spill
from event_bus_kafka.telemetry import emit, flush_observers
from event_bus_kafka.telemetry.events import ThreadsDisabled

_LATE = 0.5
"""
Seconds for which the shutdown waits for Kafka if an event is sent after the time limits of the shutdown. It then waits
for the outbox for the same number of seconds.
"""
_LAST_TURNS = 1.0
"""Maximum seconds for the last run of the periodic work."""
_PRIORITY = 100
"""
Priority of our finalizer, which is registered with multiprocessing and billiard. Their child processes skip finalizers
without a priority.
"""


class Shutdown:
    """Flushes sent events when a process or a worker ends. One object serves a process and its children."""

    def __init__(
        self, limits: SendingLimits, spill: Spill, *, begin: Callable[[], None], finish: Callable[[float], None]
    ) -> None:
        """
        ``begin``: starts the periodic work of a process, such as writing the history. It is called once in each process
        and never raises. ``finish``: does the periodic work for the last time. It blocks at most as many seconds as its
        argument says.
        """
        self._limits = limits
        self._spill = spill
        self._begin_periodic_work = begin
        self._finish_periodic_work = finish
        self._begun: dict[int, object] = {}
        """
        Process id → a marker of the thread that began the periodic work in this process. The marker ensures that only
        one of several sending threads begins the work.
        """
        self._last_turns: dict[int, float] = {}
        """
        Process id → total seconds that the exit hooks of this process may still wait for the last run of the periodic
        work.
        """
        self._pid: int | None = None
        """Id of the process that flushes and spills events at its end; None: :meth:`watch` was not called yet."""
        self._began: float | None = None
        """Monotonic time at which the end of the process ``_pid`` began; None: the end has not begun."""

    def begin(self) -> None:
        """
        Begin the periodic work of this process, and register hooks that end the work when the process ends. Call this
        method before each send; repeated calls are cheap.
        """
        pid = os.getpid()
        if pid in self._begun:
            return
        mine = object()
        if self._begun.setdefault(pid, mine) is not mine:
            return
        self._watch_end()
        self._begin_periodic_work()

    def watch(self) -> None:
        """
        Do the same as :meth:`begin`, and prepare this process to flush and spill events at its end. Call this method
        before the first event that is handed to a Kafka client or spilled; repeated calls are cheap.
        """
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._began = monotonic() if is_exiting() else None
        self.begin()
        self._spill.start_writer()
        if (uwsgi := cast("Any", sys.modules.get("uwsgi"))) and not getattr(uwsgi, "has_threads", True):
            emit(ThreadsDisabled())

    def _watch_end(self) -> None:
        Finalize(None, self._end, exitpriority=_PRIORITY)
        if celery := sys.modules.get("celery.signals"):  # the prefork pool ends its children with os._exit
            celery.worker_process_shutdown.connect(self._end, weak=False)
        if uwsgi := cast("Any", sys.modules.get("uwsgi")):
            ends = ExitStack()  # the service's own hook first, even if it raises
            ends.callback(self._end)
            ends.callback(getattr(uwsgi, "atexit", None) or (lambda: None))
            uwsgi.atexit = ends.close  # called even with skip-atexit-teardown, which skips atexit

    def flush(self, seconds: float) -> None:
        """
        Wait at most ``seconds`` until all sent events are in Kafka or in the outbox.

        The wait is not longer than a shutdown may take. After the wait, EventUndelivered is emitted for each event that
        is in neither place.
        """
        began = monotonic()
        until = began + min(self._limits.shutdown_flush, seconds / 2)
        self.confirm(until)
        self._spill.finish(min(until + self._limits.shutdown_spill, began + seconds) - monotonic())

    def finish_periodic_work(self) -> None:
        """Do the periodic work for the last time; block for at most a second."""
        self._finish_periodic_work(_LAST_TURNS)

    def flush_late(self) -> None:
        """
        Flush events that were sent after the shutdown of this process began, because no other flush follows. Does
        nothing before the shutdown.
        """
        if self._began is not None:
            self._end()

    def confirm(self, until: float) -> None:
        """Wait until ``until`` (monotonic) for Kafka to confirm sent events. Spill the events without confirmation."""
        if self._spill.waits_for_clients():
            self._spill.settle(until - monotonic())  # meanwhile the clients' threads continue
        for clients in own_clients():
            clients.producer.flush(until - monotonic())
            clients.give_up()

    def _end(self, *_: object, **__: object) -> None:
        """End the sending and the periodic work of this process."""
        if os.getpid() not in self._begun:
            return  # a child inherits its parent's hooks
        if self._pid == os.getpid():
            self._end_sending()
        flush_observers()
        left, began = self._last_turns.get(os.getpid(), _LAST_TURNS), monotonic()
        self._finish_periodic_work(left)
        self._last_turns[os.getpid()] = max(left - (monotonic() - began), 0.0)

    def _end_sending(self) -> None:
        now = monotonic()
        is_away = any(clients.is_away for clients in own_clients() if clients.unreported)
        until, spill_until = deadlines_of(self._began, now, self._limits, is_away=is_away)
        self._began = self._began or now
        self.confirm(until)
        left_by = (monotonic() + spill_until) / 2
        for clients in own_clients():
            clients.leave(left_by - monotonic())
        self._spill.finish(spill_until - monotonic())


def deadlines_of(began: float | None, now: float, limits: SendingLimits, *, is_away: bool) -> tuple[float, float]:
    """
    Return two monotonic times for an ending process: the end of its wait for Kafka, and the end of its later wait for
    the outbox.

    ``began``: monotonic time at which the end of the process began. Both limits count from this time; None: they count
    from ``now``. If ``began`` is given, the event to flush was sent late. Then at least ``_LATE`` seconds remain for
    Kafka, and as many for the outbox. If Kafka does not answer (``is_away``), no time is added for Kafka.
    """
    until = (now if began is None else began) + limits.shutdown_flush
    spill_until = until + limits.shutdown_spill
    if began is None:
        return until, spill_until
    return until if is_away else max(until, now + _LATE), max(spill_until, now + 2 * _LATE)
