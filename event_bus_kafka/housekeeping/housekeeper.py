"""Runs the periodic tasks of a process in one thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from time import monotonic

import attrs
from django.db import Error, connections

from event_bus_kafka.db_connections import close
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry.error_text import database_error_text
from event_bus_kafka.telemetry.guards import kept_alive, stumbled

logger = logger_named(__name__)

Turn = Callable[[], Iterable[object] | None]
"""
A function that runs a task once. It either does all the work, or returns an iterator. Each step of the iterator does a
slice of the work that takes less than a second.
"""
_NO_SLICE = object()


@attrs.define(eq=False, kw_only=True)
class Task:
    """A periodic task of a housekeeper."""

    name: str
    """The beginning of the log line that reports a failure, such as ``A heartbeat was not written``."""
    turn: Turn
    period: Callable[[], float]
    """Returns the seconds until the next turn; called at the end of each turn."""
    last: Callable[[], object] | None
    """The last turn: called in place of ``turn`` when the process or the task ends. None: there is no last turn."""
    due: float
    """Time of the next turn (monotonic)."""
    slices: Iterator[object] | None = None
    """The remaining slices of a turn that has begun; None: no turn has begun."""
    ends: int = 0
    """
    Number of requests for a last turn. A turn that began before a request does not fulfil the request, because this
    turn may lack the latest data.
    """
    ended: int = 0
    """Number of requests for a last turn that have been fulfilled."""
    problem: str = ""
    """Text of the database error that was logged last; empty after a successful turn."""

    @property
    def is_ending(self) -> bool:
        """Whether a last turn was requested and has not run yet."""
        return self.ended < self.ends


class Housekeeper:
    """
    Runs the tasks of a process in one thread, which starts with the first task.

    If a turn raises, the task runs again after its period. The error is logged, unless the task's previous turn raised
    the same database error. Between two slices of a turn, other due tasks may run. When no task is due, the thread
    closes its database connections, or returns them to their pool. After each slice it closes broken connections. A
    child process does not inherit its parent's tasks.
    """

    _changed: threading.Condition
    _tasks: list[Task]
    _thread: threading.Thread | None
    _is_idle: bool
    """Whether the thread has closed its connections."""

    def __init__(
        self, close_after_errors: Callable[[], None] = lambda: None, *, clock: Callable[[], float] = monotonic
    ) -> None:
        """
        ``close_after_errors``: closes broken connections. It is called after each slice, even if no error is raised,
        since a task may catch errors.
        """
        self._close_after_errors = close_after_errors
        self._clock = clock
        self._forget_parent()
        os.register_at_fork(after_in_child=self._forget_parent)

    def every(
        self,
        period: float | Callable[[], float],
        name: str,
        turn: Turn,
        *,
        last: Callable[[], object] | None = None,
        first_in: float = 0.0,
    ) -> Task:
        """
        Run ``turn`` every ``period`` seconds, for the first time after ``first_in`` seconds.

        ``last``: called in place of ``turn`` when the process or the task ends.
        """
        seconds = period if callable(period) else lambda: period
        task = Task(name=name, turn=turn, period=seconds, last=last, due=self._clock() + first_in)
        if self._pid != os.getpid():  # a server written in C may fork without Python's hooks
            self._forget_parent()
        with self._changed:
            self._tasks.append(task)
            self._changed.notify_all()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="event-bus-housekeeping", daemon=True)
                with suppress(RuntimeError):  # the interpreter is shutting down
                    self._thread.start()
        return task

    def finish(self, within: float) -> None:
        """Run the last turns of all tasks at the end of the process. Blocks for at most ``within`` seconds."""
        self._finish(list(self._tasks), within)

    def end(self, tasks: Iterable[Task], within: float) -> None:
        """Run the last turns of ``tasks``, then remove the tasks. Blocks for at most ``within`` seconds."""
        ending = set(tasks)
        self._finish(list(ending), within)
        with self._changed:
            self._tasks = [task for task in self._tasks if task not in ending]

    def _finish(self, tasks: list[Task], within: float) -> None:
        if self._pid != os.getpid():
            return
        with self._changed:
            if self._thread is None or not self._thread.is_alive() or self._thread is threading.current_thread():
                return
            ending = [task for task in tasks if task.last is not None and task in self._tasks]
            wanted = {task: task.ends + 1 for task in ending}
            for task, number in wanted.items():
                task.ends, task.due = number, self._clock()
            self._changed.notify_all()
            self._changed.wait_for(lambda: all(task.ended >= number for task, number in wanted.items()), within)

    def _run(self) -> None:
        while True:
            with kept_alive():
                self._go_on()

    def _go_on(self) -> None:
        task = self._next()
        if task is not None:
            self._work(task)
            self._close_after_errors()
            return
        self._is_idle = True
        for connection in connections.all(initialized_only=True):
            with kept_alive():  # one failure must not keep other connections open
                close(connection)

    def _next(self) -> Task | None:
        """
        Return the next due task, or wait until a task is due. If no task is due and the thread still has open
        connections, return None at once, so that the caller closes the connections first.
        """
        with self._changed:
            while True:
                now = self._clock()
                if due := [task for task in self._tasks if task.due <= now]:
                    self._is_idle = False
                    return min(due, key=lambda task: (not task.is_ending, task.slices is not None, task.due))
                if not self._is_idle:
                    return None
                dues = [task.due for task in self._tasks]
                self._changed.wait(min(dues) - now if dues else None)

    def _work(self, task: Task) -> None:
        ends, is_over = task.ends, True
        try:
            if task.is_ending and task.last is not None:
                task.last()
            else:
                is_over = self._slice(task)
            task.problem = task.problem if not is_over else ""
        except Error as error:
            self._tell(task, error)
        except BaseException as error:  # noqa: BLE001 routers, drivers and observers may raise anything
            stumbled(error)
        finally:
            with self._changed:
                task.ended = ends
                if is_over:
                    task.slices = None
                    wait = 0 if task.is_ending else task.period()  # a last turn may be requested meanwhile
                    task.due = self._clock() + wait
                self._changed.notify_all()

    def _slice(self, task: Task) -> bool:
        """Run the next slice of a turn, or begin a turn. Return whether the turn is over."""
        if task.slices is None:
            task.slices = iter(task.turn() or ())
        return next(task.slices, _NO_SLICE) is _NO_SLICE

    def _tell(self, task: Task, error: Error) -> None:
        problem = database_error_text(error)
        if problem != task.problem:
            logger.warning("%s; trying again later: %s", task.name, problem)
        task.problem = problem

    def _forget_parent(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._tasks, self._thread, self._is_idle = [], None, True
