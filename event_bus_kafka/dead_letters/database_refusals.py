"""Decides whether a database refuses a dead letter for good, or cannot store any letter now."""

from __future__ import annotations

from contextlib import suppress
from traceback import walk_tb
from typing import Any

from django.db import DataError, Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from event_bus_kafka.db_connections import close

_NUMBERS = frozenset({1118, 1153, 1366, 1406, 1690, 2020, 3140, 3141, 3144, 3157, 3819, 4025})
"""
Error numbers of MySQL and MariaDB for a row, packet, text, number or JSON that is too large or invalid, and for a
failed constraint.
"""
_CLASSES = ("22", "54")
"""SQLSTATE classes of PostgreSQL: data exceptions, and server limits that do not change with time."""
_CHECK_VIOLATION = "23514"
_LOST = frozenset({2006, 2013})
"""Error numbers of MySQL and MariaDB for a connection that has ended."""
_LONGEST_ESCAPE, _STATEMENT = 2, 10_000
"""
Two numbers for estimating the size of a statement. The first is the maximum number of bytes that one byte of a value
takes after escaping. The second is the maximum number of bytes of the rest of the statement.
"""
_EXECUTE = CursorWrapper._execute.__code__  # type: ignore[attr-defined]


def is_refusal(error: Exception) -> bool:
    """Return whether ``error`` means that the database would refuse the unchanged letter at each further attempt."""
    if isinstance(error, DataError):
        return True
    if isinstance(error, (ValueError, OverflowError)):
        return _came_from_driver(error)
    state = str(getattr(_cause(error), "sqlstate", None) or getattr(_cause(error), "pgcode", None) or "")
    return _number(error) in _NUMBERS or state.startswith(_CLASSES) or state == _CHECK_VIOLATION


def is_larger_than_packets(error: Exception, size: int, connection: BaseDatabaseWrapper) -> bool:
    """
    Return whether MySQL or MariaDB may have closed the connection because a statement with ``size`` bytes of values was
    larger than ``max_allowed_packet``. Return False if the statement cannot have been larger, or if the limit cannot
    be read. A new connection is opened to read the limit.
    """
    if _number(error) not in _LOST:
        return False
    close(connection)
    with suppress(Error), connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        return bool(_LONGEST_ESCAPE * size + _STATEMENT > cursor.fetchone()[0])
    return False


def has_ended(connection: BaseDatabaseWrapper, raw: Any) -> bool:
    """
    Return whether the driver's connection ``raw`` has ended, even if Django has since opened another connection. The
    result is always False inside a transaction.
    """
    if connection.in_atomic_block:
        return False
    with suppress(Error):
        return connection.connection is not raw or not connection.is_usable()
    return True


def _came_from_driver(error: Exception) -> bool:
    """
    Return whether the driver raised the error because it cannot write a value. An error of the same class from a
    router, a field or a signal handler does not count, because it says nothing about the value.
    """
    return any(frame.f_code is _EXECUTE for frame, _ in walk_tb(error.__traceback__))


def _cause(error: Exception) -> BaseException:
    return error.__cause__ or error


def _number(error: Exception) -> Any:
    return next(iter(_cause(error).args), None)
