"""
The end of a process: flushes sent events, and spills unconfirmed ones.

``atexit`` is not enough: children of multiprocessing and of celery end without it, and uWSGI's workers may.
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
"""Seconds, for Kafka and for the outbox, that an event still has if it is sent after the limits of the end."""
_LAST_TURNS = 1.0
"""Seconds for the last run of periodic work."""
_PRIORITY = 100
"""Priority of the finalizer of multiprocessing and billiard: without a priority, children do not run it."""


class Shutdown:
    """Flushes sent events when a process or a worker ends. One object serves a process and its children."""

    def __init__(
        self, limits: SendingLimits, spill: Spill, *, begin: Callable[[], None], finish: Callable[[float], None]
    ) -> None:
        """
        ``begin`` starts the periodic work of a process; it is called once in each process and never raises. ``finish``
        does this work for the last time and blocks at most the given seconds.
        """
        self._limits = limits
        self._spill = spill
        self._begin_periodic_work = begin
        self._finish_periodic_work = finish
        self._begun: dict[int, object] = {}
        """Process id → a marker of who began the periodic work there: of several sending threads one does."""
        self._last_turns: dict[int, float] = {}
        """Process id → seconds that its hooks have left to wait for last turns, all together."""
        self._pid: int | None = None
        """Id of the process whose end is watched."""
        self._began: float | None = None
        """Monotonic time at which the end of that process began."""

    def begin(self) -> None:
        """
        Begin the periodic work of a process, and end it with the process. Call it before each send; repeating it is
        cheap.
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
        """Flush when this process ends. Call it before the first send of a process; repeating it is cheap."""
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
        if celery := sys.modules.get("celery.signals"):  # whose prefork pool ends its children by os._exit
            celery.worker_process_shutdown.connect(self._end, weak=False)
        if uwsgi := cast("Any", sys.modules.get("uwsgi")):
            ends = ExitStack()  # the service's own first, whatever it raises
            ends.callback(self._end)
            ends.callback(getattr(uwsgi, "atexit", None) or (lambda: None))
            uwsgi.atexit = ends.close  # runs where skip-atexit-teardown leaves out atexit

    def flush(self, seconds: float) -> None:
        """
        Wait at most ``seconds`` until everything sent is in Kafka or in the outbox.

        The limits of an exit apply too. Emits an EventUndelivered for each event that is in neither then.
        """
        began = monotonic()
        until = began + min(self._limits.shutdown_flush, seconds / 2)
        self.confirm(until)
        self._spill.finish(min(until + self._limits.shutdown_spill, began + seconds) - monotonic())

    def finish_periodic_work(self) -> None:
        """Do the periodic work for the last time; wait at most a second for it."""
        self._finish_periodic_work(_LAST_TURNS)

    def flush_late(self) -> None:
        """Flush events that were sent after the end had begun, within the rest of its limits: nothing else would."""
        if self._began is not None:
            self._end()

    def confirm(self, until: float) -> None:
        """Wait until ``until`` (monotonic) for Kafka to confirm sent events; hand the others to the spill."""
        if self._spill.waits_for_clients():
            self._spill.settle(until - monotonic())  # meanwhile the clients' threads go on
        for clients in own_clients():
            clients.producer.flush(until - monotonic())
            clients.give_up()

    def _end(self, *_: object, **__: object) -> None:
        """End the sending and the periodic work of this process. From then on threads of clients do nothing."""
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
    Return the monotonic times until which an ending process waits for Kafka, and then for the outbox.

    Both limits count from ``began``; None: from now. Events that are sent later get a moment more, but none for Kafka
    while it is away.
    """
    until = (now if began is None else began) + limits.shutdown_flush
    spill_until = until + limits.shutdown_spill
    if began is None:
        return until, spill_until
    return until if is_away else max(until, now + _LATE), max(spill_until, now + 2 * _LATE)
