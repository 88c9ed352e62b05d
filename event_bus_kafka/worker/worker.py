"""Runs the steps of a worker, handles signals, stops the worker, and returns the exit code."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from types import FrameType
from typing import Protocol

from event_bus_kafka.errors import ConfigurationError, WorkerFailed
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import WorkerStarted, WorkerStopped, WorkerStopping
from event_bus_kafka.worker.watchdog import Forced, watchdog

logger = logger_named(__name__)

CLEAN, MISCONFIGURED, FORCED, FAILED = 0, 1, 2, 3
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_YOUNG = 10_000
"""Number of new objects after which the garbage collector examines these objects."""
_MARGIN = 3.0
"""Seconds after the stop's time limit in which a worker may still commit and leave its group."""


class Steps(Protocol):
    """The work of a worker, which consists of repeated steps and a stop."""

    def step(self) -> None: ...

    def stop(self, *, timeout: float) -> int:
        """Stop within ``timeout`` seconds. Return 0 if no work is left unfinished, otherwise a positive number."""


class Worker:
    """
    Calls ``step()`` until SIGTERM, SIGINT or an exception. Then it calls ``stop()``, which must end within
    ``stop_timeout`` seconds after the signal. The signal handler also calls ``hurry`` with this number of seconds,
    because a step may be waiting. A second signal ends the process within a second.
    """

    def __init__(
        self, steps: Steps, *, name: str, stop_timeout: float, hurry: Callable[[float], None] = lambda _: None
    ) -> None:
        self._steps = steps
        self._name = name
        self._stop_timeout = stop_timeout
        self._hurry = hurry
        self._stop_until = inf
        self._reason = ""
        self._signalled = False

    def run(self) -> int:
        """
        Run the worker, and return the process's exit code: 0 after a clean stop, 1 if the configuration is wrong, 2 if
        a stop left work unfinished or a second signal came, 3 after an unexpected error, or a WorkerFailed's exit code.
        """
        try:
            with self._signals() as stop_begins, _old_objects_left_alone():
                emit(WorkerStarted(name=self._name))
                exit_code = self._step_until_stopped()
                stop_begins(exit_code or FORCED)
                finished = self._finish()
                exit_code = exit_code or finished
        except Forced:
            exit_code = FORCED
        emit(WorkerStopped(name=self._name, exit_code=exit_code, reason=self._reason))
        return exit_code

    def _step_until_stopped(self) -> int:
        try:
            while not self._reason:
                self._steps.step()
        except WorkerFailed as failure:
            self._reason = failure.reason
            return failure.exit_code
        except ConfigurationError as error:
            self._reason = str(error)
            return MISCONFIGURED
        except Exception:  # any other error must end the process with a log line
            logger.exception("%s failed", self._name)
            self._reason = "an unexpected error"
            return FAILED
        return CLEAN

    def _finish(self) -> int:
        emit(WorkerStopping(name=self._name, reason=self._reason))
        try:
            timeout = max(min(self._stop_timeout, self._stop_until - monotonic()), 0.0)
            return FORCED if self._steps.stop(timeout=timeout) else CLEAN
        except WorkerFailed as failure:
            if failure.reason != self._reason:  # otherwise it is logged already
                logger.error("%s failed to stop cleanly: %s", self._name, failure.reason)
            return failure.exit_code
        except Exception:  # as above: openedx-events' command would exit with 0
            logger.exception("%s failed to stop cleanly", self._name)
            return FAILED

    @contextmanager
    def _signals(self) -> Iterator[Callable[[int], None]]:
        """
        Handle signals during the ``with`` block, and kill the process if its stop takes too long. Outside the main
        thread, do neither. Yield a callable that must be called when the stop begins.
        """
        if threading.current_thread() is not threading.main_thread():
            yield lambda exit_code: None  # only the main thread may handle signals
            return
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            limit = self._stop_timeout + _MARGIN
            with watchdog(self._name, limit=limit, signals=_SIGNALS, exit_code=FORCED) as stop_begins:
                yield stop_begins
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            raise Forced
        self._signalled = True
        self._stop_until = monotonic() + self._stop_timeout
        self._hurry(self._stop_timeout)
        self._reason = self._reason or signal.Signals(number).name


@contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    """
    Exclude the objects that the service has loaded (a million in an LMS) from garbage collection, because checking all
    of them would take longer than processing events. Also let the garbage collector run less often. Does nothing
    outside the main thread, or if the service itself has configured the garbage collector.
    """
    before = gc.get_threshold()
    untouched = gc.isenabled() and before[0] > 0 and not gc.get_freeze_count()
    if ours := untouched and threading.current_thread() is threading.main_thread():
        gc.collect()  # existing garbage would be frozen, too
        gc.freeze()
        gc.set_threshold(max(before[0], _YOUNG), *before[1:])
    try:
        yield
    finally:
        if ours:
            gc.unfreeze()
            gc.set_threshold(*before)
