"""Whether an error says nothing about the event, only that a server of ours is away."""

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
"""Error numbers of MySQL and MariaDB: too many connections, in all or of one user."""
_FULL_TEXT = re.compile(
    r"too many (?:clients|connections)|connection slots are reserved|couldn't get a connection after"
)
"""Texts by which PostgreSQL refuses a connection, without a number; the last is psycopg's pool's."""


def outage_of(error: Exception) -> str:
    """
    Return which of the registry, the broker, the dead-letter store or a database cannot be reached; empty: none.

    An error of a database counts if it came from connecting, or if a fresh connection fails too; it may stand behind
    the error of a receiver. A server or a pool that has no connection left is away, too: the event is not to blame.
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
    """A database that comes back between the error and a look at it was away all the same."""
    return any(frame.f_code is _CONNECT for frame, _ in walk_tb(error.__traceback__))


def _is_full(error: Exception) -> bool:
    return next(iter(error.args), None) in _FULL_NUMBERS or bool(_FULL_TEXT.search(str(error)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """
    Return an error, the errors in its group and its causes: a receiver may raise a group of its own, as task groups do.
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
