"""Whether a database refuses a letter, or cannot take any now."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.db import DataError, Error
from django.db.backends.base.base import BaseDatabaseWrapper

_NUMBERS = frozenset({1118, 1153, 1366, 1406, 1690, 2020, 3140, 3141, 3144, 3157, 3819, 4025})
"""Of MySQL and MariaDB: rows, packets, texts, numbers and JSON that do not fit or are none; constraints."""
_CLASSES = ("22", "54")
"""Of PostgreSQL's numbers: data exceptions, and limits of the server that no wait extends."""
_CHECK_VIOLATION = "23514"


def is_refusal(error: Exception) -> bool:
    """Whether an error says that this letter, as it is, is never taken."""
    if isinstance(error, (DataError, ValueError, OverflowError)):
        return True
    cause = error.__cause__ or error
    state = str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")
    number = next(iter(cause.args), None)
    return number in _NUMBERS or state.startswith(_CLASSES) or state == _CHECK_VIOLATION


def has_ended(connection: BaseDatabaseWrapper, raw: Any) -> bool:
    """
    Whether a driver's connection has ended meanwhile, as after a statement that is larger than MySQL takes. Django may
    have opened another one already, at the end of a transaction.
    """
    if connection.in_atomic_block:
        return False
    with suppress(Error):
        return connection.connection is not raw or not connection.is_usable()
    return True
