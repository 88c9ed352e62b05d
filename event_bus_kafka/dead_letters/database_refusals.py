"""Whether a database refuses a letter, or cannot take any now."""

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
Error numbers of MySQL and MariaDB: a row, packet, text, number or JSON is too large or invalid; a constraint fails.
"""
_CLASSES = ("22", "54")
"""Classes of PostgreSQL's SQLSTATE: data exceptions, and limits of the server that no wait extends."""
_CHECK_VIOLATION = "23514"
_LOST = frozenset({2006, 2013})
"""Error numbers of MySQL and MariaDB: the connection has ended."""
_LONGEST_ESCAPE, _STATEMENT = 2, 10_000
"""Bytes in a statement for one of a value; bytes of all but the values, at most."""
_EXECUTE = CursorWrapper._execute.__code__  # type: ignore[attr-defined]


def is_refusal(error: Exception) -> bool:
    """Whether an error says that this letter, as it is, is never taken."""
    if isinstance(error, DataError):
        return True
    if isinstance(error, (ValueError, OverflowError)):
        return _came_from_driver(error)
    state = str(getattr(_cause(error), "sqlstate", None) or getattr(_cause(error), "pgcode", None) or "")
    return _number(error) in _NUMBERS or state.startswith(_CLASSES) or state == _CHECK_VIOLATION


def is_larger_than_packets(error: Exception, size: int, connection: BaseDatabaseWrapper) -> bool:
    """
    Whether MySQL or MariaDB has ended the connection because a statement with ``size`` bytes of values was larger than
    it takes. False if a statement of this size is small enough: then there was another reason.
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
    Whether a driver's connection has ended meanwhile. Django may have opened another one already, at the end of a
    transaction.
    """
    if connection.in_atomic_block:
        return False
    with suppress(Error):
        return connection.connection is not raw or not connection.is_usable()
    return True


def _came_from_driver(error: Exception) -> bool:
    """Drivers raise it of values that they cannot write; a router, a field or a hook of somebody says other things."""
    return any(frame.f_code is _EXECUTE for frame, _ in walk_tb(error.__traceback__))


def _cause(error: Exception) -> BaseException:
    return error.__cause__ or error


def _number(error: Exception) -> Any:
    return next(iter(_cause(error).args), None)
