"""
Asks several servers at the same time, each with a time limit. Without a limit, a database driver might wait for
minutes, or for ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from threading import Thread, current_thread
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

import attrs
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections
from django.utils.connection import ConnectionDoesNotExist

from event_bus_kafka.db_connections import close
from event_bus_kafka.errors import EventBusError
from event_bus_kafka.interruptions import let_through
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry.error_text import trace_text
from event_bus_kafka.telemetry.guards import answer

logger = logger_named(__name__)

T = TypeVar("T")

OF_DATABASE = 10.0
"""Time limit for all answers of one database, in seconds."""
Questions = Mapping[str, tuple[str, Callable[[], Any]]]
"""Name of a question → the name of the server to ask, and the function that returns the answer."""


@attrs.frozen(kw_only=True)
class Unanswered:
    """A server that gave no answer, with the reason."""

    server: str
    """Name of the server, for example ``Kafka``, ``the schema registry``, or ``database`` and an alias."""
    reason: str
    is_fault: bool = False
    """
    Whether the question failed with an unexpected exception: neither a server nor wrong settings caused it. The place
    of the exception in the code is logged.
    """


class Awaited(Generic[T]):
    """
    The answer of a server, which may not have come yet. ``seconds``: time limit, from the creation of this object.
    ``is_over``: whether the time limit is over from the beginning.
    """

    def __init__(self, server: str, seconds: float, *, is_over: bool = False) -> None:
        self.outcome: Future[T] = Future()
        self._server = server
        self._seconds = seconds
        self._until = monotonic() + (0 if is_over else seconds)

    @property
    def hangs(self) -> bool:
        """Whether the time limit is over and the answer has not come."""
        return monotonic() >= self._until and not self.outcome.done()

    def wait(self, told: Callable[[str, Exception], Unanswered] | None = None) -> T | Unanswered:
        """
        Wait for the answer until the time limit is over. Return the answer, or :class:`Unanswered`. ``told``: converts
        an exception to :class:`Unanswered`; by default, :func:`unanswered` does.
        """
        wait([self.outcome], max(self._until - monotonic(), 0))
        if not self.outcome.done():
            return Unanswered(server=self._server, reason=f"it did not answer within {self._seconds:.2g} s")
        try:
            return self.outcome.result()
        except Exception as error:  # noqa: BLE001 a driver may raise anything: the others' answers are shown
            let_through(error)
            return (told or unanswered)(self._server, error)


class Ask(Protocol):
    """A function that asks a server by calling ``look``, and returns an object for the answer, which may come later."""

    def __call__(self, server: str, look: Callable[[], T], /) -> Awaited[T]: ...


def within(seconds: float) -> Ask:
    """
    Return a function that calls each ``look`` in a thread of its own, or in the caller's thread if no thread can be
    started. After ``seconds``, nobody waits for the new thread any more, but it may still run.
    """

    def begin(server: str, look: Callable[[], T], /) -> Awaited[T]:
        coming: Awaited[T] = Awaited(server, seconds)
        answer(coming.outcome, partial(_looked, look, current_thread()), "event-bus-asking")
        return coming

    return begin


Looks = dict[str, Awaited[Any]]
"""Name of a server → the last answer that was requested from the server."""


def within_if_free(seconds: float, last: Looks) -> Ask:
    """
    Return a function that works as :func:`within` does, unless the last call for the same server hangs. In this case,
    ``look`` is not called, and the returned answer has already timed out. So at most one thread hangs for each server.
    ``last``: the last answers, which the returned function updates.
    """

    def begin(server: str, look: Callable[[], T], /) -> Awaited[T]:
        if server in last and last[server].hangs:
            return Awaited(server, seconds, is_over=True)  # an answer that still comes belongs to an earlier question
        last[server] = within(seconds)(server, look)
        return last[server]

    return begin


def here(server: str, look: Callable[[], T], /) -> Awaited[T]:
    """
    Call ``look`` in this thread, and return when it has ended. So ``look`` sees uncommitted changes of this thread's
    transaction, but has no time limit.
    """
    there: Awaited[T] = Awaited(server, 0)
    try:
        there.outcome.set_result(look())
    except Exception as error:  # noqa: BLE001 Awaited.wait() raises it, and converts it
        let_through(error)
        there.outcome.set_exception(error)
    return there


def of_database(alias: str, seconds: float) -> Ask:
    """
    Return a function that asks a database as :func:`within_if_free` does. All callers in this process share the last
    answers.

    Return :func:`here` if another thread would not see the same rows, because this thread has an open transaction in
    the database or the database is in memory. Also return :func:`here` if the settings contain no such database.
    """
    try:
        connection: Any = connections[alias]
    except (ImproperlyConfigured, ConnectionDoesNotExist):  # the question raises it again
        return here
    is_in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
    return here if connection.in_atomic_block or is_in_memory else within_if_free(seconds, _at_databases)


_at_databases: Looks = {}


def ask_all(questions: Questions, ask: Ask) -> dict[str, Any]:
    """
    Return name of the question → answer or :class:`Unanswered`. The questions for one server are asked one after the
    other, by a single call of ``ask``. A question that fails is unanswered. If a question hangs, the later questions
    for its server are unanswered, too.
    """
    by_server: defaultdict[str, list[str]] = defaultdict(list)
    for name, (server, _) in questions.items():
        by_server[server].append(name)

    told: dict[str, Any] = {}

    def look(server: str) -> None:
        for name in by_server[server]:
            told[name] = here(server, questions[name][1]).wait()

    coming = {server: ask(server, partial(look, server)) for server in by_server}
    found: dict[str, Any] = {}
    for server, one in coming.items():
        silent = one.wait()
        found |= {name: told.get(name, silent) for name in by_server[server]}
    return found


def each_once(several: Iterable[Unanswered]) -> tuple[Unanswered, ...]:
    """Return the first of ``several`` for each server."""
    return tuple({one.server: one for one in reversed(list(several))}.values())[::-1]


def unanswered(server: str, error: Exception) -> Unanswered:
    """
    Convert an exception to :class:`Unanswered`. An exception that comes neither from a server nor from wrong settings
    is a fault: its place in the code is logged, without its text.
    """
    if isinstance(error, EventBusError | ImproperlyConfigured):
        return Unanswered(server=server, reason=str(error))
    if isinstance(error, Error):
        return Unanswered(server=server, reason=f"{type(error).__name__}: {' '.join(str(error).split())}")
    logger.error("Asking %s failed unexpectedly: %s", server, trace_text(error))
    return Unanswered(server=server, reason=f"{type(error).__name__}: see the log", is_fault=True)


def _looked(look: Callable[[], T], asking: Thread) -> T:
    """
    Call ``look``, then close this thread's database connections. If no new thread could start, this thread is
    ``asking``, and its connections stay open.
    """
    try:
        return look()
    finally:
        for connection in connections.all(initialized_only=True) if current_thread() is not asking else ():
            close(connection)
