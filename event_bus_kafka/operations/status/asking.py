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
    """Whether asking failed with an unexpected exception, which is in the log."""


class Awaited(Generic[T]):
    """
    The answer of a server. The answer may not have come yet. The time limit ``seconds`` counts from now. If ``is_over``
    is True, the time limit is over already.
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
        Wait for the answer until the time limit is over, and return the answer. ``told``: converts an exception to
        :class:`Unanswered`; by default, :func:`unanswered` does.
        """
        wait([self.outcome], max(self._until - monotonic(), 0))
        if not self.outcome.done():
            return Unanswered(server=self._server, reason=f"it did not answer within {self._seconds:.2g} s")
        try:
            return self.outcome.result()
        except Exception as error:  # noqa: BLE001 of routers and drivers: the other servers' answers are to be shown
            let_through(error)
            return (told or unanswered)(self._server, error)


class Ask(Protocol):
    """A function that begins to ask a server. It calls ``look``, and returns an object for the answer of ``look``."""

    def __call__(self, server: str, look: Callable[[], T], /) -> Awaited[T]: ...


def within(seconds: float) -> Ask:
    """
    Return a function that calls each ``look`` in a thread of its own. A thread that has not ended after ``seconds`` is
    abandoned.
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
    Return a function that works as :func:`within` does, except if the last call for the same server still hangs. In
    this case ``look`` is not called, because it might leave another hanging thread behind. The time limit of the
    returned answer is then over already. ``last``: the last answers, which the returned function updates.
    """

    def begin(server: str, look: Callable[[], T], /) -> Awaited[T]:
        if server in last and last[server].hangs:
            return Awaited(server, seconds, is_over=True)  # what still comes answers an earlier question
        last[server] = within(seconds)(server, look)
        return last[server]

    return begin


def here(server: str, look: Callable[[], T], /) -> Awaited[T]:
    """
    Call ``look`` in this thread, and wait until it ends. So ``look`` sees uncommitted changes of this thread's
    transaction.
    """
    there: Awaited[T] = Awaited(server, 0)
    try:
        there.outcome.set_result(look())
    except Exception as error:  # noqa: BLE001 whoever waits for the answer judges it
        let_through(error)
        there.outcome.set_exception(error)
    return there


def of_database(alias: str, seconds: float) -> Ask:
    """
    Return a function that asks a database as :func:`within_if_free` does. All callers in this process share the last
    answers. Return :func:`here` if this thread has an open transaction in the database, or if the database is in
    memory, because another thread would not see the same rows. Also return :func:`here` if the settings contain no such
    database.
    """
    try:
        connection: Any = connections[alias]
    except (ImproperlyConfigured, ConnectionDoesNotExist):  # the look meets it, too
        return here
    is_in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
    return here if connection.in_atomic_block or is_in_memory else within_if_free(seconds, _at_databases)


_at_databases: Looks = {}


def ask_all(questions: Questions, ask: Ask) -> dict[str, Any]:
    """
    Return name of the question → answer or :class:`Unanswered`. ``ask`` is called once for each server. The questions
    for one server are asked one after the other. If a question fails or hangs, the answers to earlier questions are
    kept.
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
    """Return the first object for each server."""
    return tuple({one.server: one for one in reversed(list(several))}.values())[::-1]


def unanswered(server: str, error: Exception) -> Unanswered:
    """
    Convert an exception to :class:`Unanswered`. An exception that comes neither from a server nor from settings is a
    fault, and is logged without its text.
    """
    if isinstance(error, EventBusError | ImproperlyConfigured):
        return Unanswered(server=server, reason=str(error))
    if isinstance(error, Error):
        return Unanswered(server=server, reason=f"{type(error).__name__}: {' '.join(str(error).split())}")
    logger.error("Looking at %s failed unexpectedly: %s", server, trace_text(error))
    return Unanswered(server=server, reason=f"{type(error).__name__}: see the log", is_fault=True)


def _looked(look: Callable[[], T], asking: Thread) -> T:
    """
    Call ``look``, then close the database connections of this thread, before the answer is passed on. If no new thread
    could start, this thread is ``asking``, and its connections stay open.
    """
    try:
        return look()
    finally:
        for connection in connections.all(initialized_only=True) if current_thread() is not asking else ():
            close(connection)
