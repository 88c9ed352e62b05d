"""Decides whether an error comes from a server that cannot be reached, and not from the event."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from traceback import walk_tb

from django.db import Error as DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.dispatching import cleanup
from event_bus_kafka.errors import (
    BrokerError,
    DeadLetterStoreFailed,
    PausesUnknown,
    SchemaRegistryError,
)

_CONNECT = inspect.unwrap(BaseDatabaseWrapper.connect).__code__


STORE = "dead-letter store"
DATABASE = "database"
FULL = "database, which takes no more connections"
_FULL_NUMBERS = frozenset({1040, 1203, 1226})
"""Error numbers of MySQL and MariaDB for too many connections, either of all users together or of one user."""
_FULL_TEXT = re.compile(
    r"too many (?:clients|connections)|connection slots are reserved|couldn't get a connection after"
)
"""
Parts of error texts that mean that PostgreSQL has no free connection; its errors have no number. The last text is from
psycopg's pool.
"""


def outage_of(error: Exception) -> str:
    """
    Return the name of the server whose outage caused ``error``: schema registry, Kafka, dead-letter store or database.
    Return an empty text if no outage caused ``error``.

    If ``error`` or one of its causes is a database error, an outage is assumed in two cases: this database error was
    raised while connecting, or a fresh connection fails now. A server or pool without a free connection counts as an
    outage, because the event did not cause the error.
    """
    if isinstance(error, DeadLetterStoreFailed):
        return STORE
    if isinstance(error, PausesUnknown):
        return DATABASE
    if isinstance(error, (SchemaRegistryError, BrokerError)):
        server = "schema registry" if isinstance(error, SchemaRegistryError) else "Kafka"
        return server if error.retriable else ""
    errors = [cause for cause in _causes(error) if isinstance(cause, DatabaseError)]
    away: Exception | None = next(filter(_came_from_connecting, errors), None)
    if errors and away is None:
        away = cleanup.failure_to_connect()
    return "" if away is None else FULL if _is_full(away) else DATABASE


def _came_from_connecting(error: DatabaseError) -> bool:
    """
    Return whether the error was raised while connecting. If so, the database was away, even if it accepts connections
    now.
    """
    return any(frame.f_code is _CONNECT for frame, _ in walk_tb(error.__traceback__))


def _is_full(error: Exception) -> bool:
    return next(iter(error.args), None) in _FULL_NUMBERS or bool(_FULL_TEXT.search(str(error)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """
    Yield an error, its causes, and the errors inside an exception group (for example, the group that a receiver's task
    group raises).
    """
    left: list[BaseException] = [error]
    seen: set[int] = set()
    while left:
        current = left.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        left += current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        left += filter(None, (current.__cause__ or current.__context__,))
