"""
Asks several servers at the same time, each with a time limit. Without a limit, a database driver might wait for
minutes, or for ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
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
    The answer of a server, which may not have come yet. The time limit ``seconds`` begins when this object is created.
    """

    def __init__(self, server: str, seconds: float) -> None:
        self.outcome: Future[T] = Future()
        self._server = server
        self._seconds = seconds
        self._until = monotonic() + seconds

    def wait(self, told: Callable[[str, Exception], Unanswered] | None = None) -> T | Unanswered:
        """
        Wait for the answer until the time limit is over, and return the answer. ``told``: converts an exception to
        :class:`Unanswered`; by default, :func:`unanswered` does.
        """
        try:
            return self.outcome.result(max(self._until - monotonic(), 0))
        except Exception as error:  # noqa: BLE001 of routers and drivers: the other servers' answers are to be shown
            let_through(error)
            if not self.outcome.done():
                return Unanswered(server=self._server, reason=f"it did not answer within {self._seconds:.2g} s")
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
        answer(coming.outcome, partial(_looked, look), "event-bus-asking")
        return coming

    return begin


def within_if_free(seconds: float) -> Ask:
    """
    Return the same function as :func:`within`, except that a server is not asked while its previous ``look`` hangs.
    Otherwise, each call would leave another thread behind.
    """
    last: dict[str, Awaited[Any]] = {}

    def begin(server: str, look: Callable[[], T], /) -> Awaited[T]:
        if server not in last or last[server].outcome.done():
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
    Return a function that asks a database. Usually, it is the function that :func:`within` returns. It is :func:`here`
    if the database is in memory or this thread has an open transaction, because other threads cannot see the data.
    """
    try:
        connection: Any = connections[alias]
    except (ImproperlyConfigured, ConnectionDoesNotExist):  # the look meets it, too
        return here
    is_in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
    return here if connection.in_atomic_block or is_in_memory else within(seconds)


def ask_all(questions: Questions, ask: Ask) -> dict[str, Any]:
    """
    Return name of the question → its answer, or :class:`Unanswered`. Several servers are asked at the same time. The
    questions to one server are asked one after the other. A question that fails does not affect the others.
    """
    by_server: defaultdict[str, list[str]] = defaultdict(list)
    for name, (server, _) in questions.items():
        by_server[server].append(name)

    def look(server: str) -> list[Any]:
        return [here(server, questions[name][1]).wait() for name in by_server[server]]

    coming = {server: ask(server, partial(look, server)) for server in by_server}
    found: dict[str, Any] = {}
    for server, one in coming.items():
        told = one.wait()
        several = [told] * len(by_server[server]) if isinstance(told, Unanswered) else told
        found |= dict(zip(by_server[server], several, strict=True))
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


def _looked(look: Callable[[], T]) -> T:
    """Call ``look``, and close the connections of this thread before the answer is available to other threads."""
    try:
        return look()
    finally:
        for connection in connections.all(initialized_only=True):
            close(connection)
