"""
Ends a block of ``atomic()`` with an exception if an append failed in the block and the transaction can no longer
commit.

Without this module Django would end the block without an exception, because the COMMIT causes no error. PostgreSQL
answers the COMMIT of a broken transaction with a rollback. InnoDB begins a new transaction after it has rolled back the
old one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import attrs
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError

from event_bus_kafka.outbox.transactions import is_in_test_case, is_open

_BROKEN = 3
"""The transaction status of libpq in which only a rollback is possible (INERROR). Both drivers use the same number."""
_DEADLOCK, _LOCK_TABLE_FULL, _CHANGED_SINCE_READ, _NODE_NOT_READY, _COMMIT_FAILED = 1213, 1206, 1020, 1047, 1180
_ROLLED_BACK = {_DEADLOCK, _LOCK_TABLE_FULL, _CHANGED_SINCE_READ, _NODE_NOT_READY, _COMMIT_FAILED}
"""MySQL's errors after which the whole transaction is rolled back; the last two come from Galera."""
_LOCK_TIMEOUT = 1205
"""MySQL's error that rolls back the transaction if ``innodb_rollback_on_timeout`` is set."""
_TAKEN_OVER = ("commit", "rollback", "savepoint_rollback", "set_rollback")
"""Methods of a connection with which Django and its callers end a transaction or a savepoint."""
_OF_SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


def doom(connection: BaseDatabaseWrapper, cause: Exception, failure: Exception) -> bool:
    """
    If ``cause`` has made a commit impossible, let the block of the open transaction end with ``failure``, and return
    True. If a commit is still possible, or no transaction is open, return False.

    Do not call this function if Django had marked the transaction for a rollback before ``cause`` was raised. A broken
    transaction can continue after the rollback of its savepoint. A transaction that the server has rolled back, or
    whose session has ended, cannot continue. Further statements in the block of such a transaction are refused, because
    they would be committed without the statements before them.
    """
    if not is_open(connection) or connection.connection is None:
        return False
    if is_doomed(connection):
        return True
    lost = connection.needs_rollback or _was_rolled_back(connection, cause)  # marked: our savepoint's rollback failed
    if lost:
        with suppress(Exception):  # any driver's error: the connection may be dead
            connection.connection.rollback()
        connection.needs_rollback = False  # otherwise the block would end without commit and exception
    if lost or is_broken(connection):
        _Doomed(connection, failure, cause, is_lost=lost).begin()
        return True
    return False


def is_doomed(connection: BaseDatabaseWrapper) -> bool:
    """Return whether :func:`doom` has found that the open transaction can no longer commit."""
    return any(isinstance(entry[1], _Doomed) and entry[1].holds for entry in connection.run_on_commit)


def is_broken(connection: BaseDatabaseWrapper) -> bool:
    """Return whether, after an error, only a rollback of the open transaction or of a savepoint is possible."""
    raw = connection.connection
    if connection.vendor != "postgresql" or raw is None:
        return False
    status = getattr(getattr(raw, "info", None), "transaction_status", None)
    return status == _BROKEN if status is not None else not _answers(raw)


def _answers(raw: Any) -> bool:
    """
    Return whether a connection answers a query. Needed only for connections that a pool wraps, because they do not show
    their transaction status.
    """
    try:
        with raw.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:  # noqa: BLE001 a driver may raise anything
        return False
    return True


def _was_rolled_back(connection: BaseDatabaseWrapper, cause: Exception) -> bool:
    if _has_ended(connection):
        return True
    if connection.vendor == "sqlite":
        return connection.in_atomic_block and not getattr(connection.connection, "in_transaction", True)
    if connection.vendor != "mysql":
        return False
    codes = {error.args[0] for error in (cause, *_behind(cause)) if error.args and isinstance(error.args[0], int)}
    return bool(codes & _ROLLED_BACK) or (_LOCK_TIMEOUT in codes and _rolls_back_on_timeout(connection))


def _rolls_back_on_timeout(connection: BaseDatabaseWrapper) -> bool:
    with suppress(Exception):  # of any driver
        cursor = connection.connection.cursor()  # not Django's cursor, whose queries others may observe
        cursor.execute("SELECT @@innodb_rollback_on_timeout")
        return bool(cursor.fetchone()[0])
    return True


def _has_ended(connection: BaseDatabaseWrapper) -> bool:
    """
    Return whether the connection's session has ended. If it has ended and the caller swallows the error, Django may end
    a block without an exception.
    """
    if connection.vendor == "postgresql":
        return bool(getattr(connection.connection, "closed", False))
    return not connection.is_usable()


@attrs.define(eq=False)
class _Doomed:
    """
    A transaction that cannot commit, while its block is still running.

    Until the transaction ends, this object replaces the methods of the connection that end a transaction. The object is
    also a commit hook. Django drops the hook together with the transaction or the broken savepoint. So the hook's
    presence shows that a commit is still impossible.
    """

    _connection: BaseDatabaseWrapper
    _failure: Exception
    _cause: Exception
    _is_lost: bool = attrs.field(kw_only=True)
    _is_in_block: bool = attrs.field(init=False)
    """Whether Django commits at the end of an ``atomic()`` block. If not, the caller commits by hand."""
    _savepoints: set[str | None] = attrs.field(factory=set, init=False)
    """Savepoints whose rollback makes a commit possible again."""
    _asked: set[str | None] = attrs.field(factory=set, init=False)
    """Savepoints whose rollback the caller has requested by hand; None in the set means the whole transaction."""

    def begin(self) -> None:
        connection: Any = self._connection
        self._is_in_block = connection.in_atomic_block and connection.commit_on_exit
        self._savepoints = set() if self._is_lost else set(connection.savepoint_ids)
        place = len(connection.run_on_commit) if is_in_test_case(connection) else 0
        connection.run_on_commit.insert(place, (self._savepoints, self, False))
        for name in _TAKEN_OVER:
            setattr(connection, name, getattr(self, f"_{name}"))
        if self._is_lost:
            connection.execute_wrappers.insert(0, self._refuse)  # Django's execute_wrapper() removes the last one

    def __call__(self) -> None:
        self._leave()
        if self._is_lost:
            raise self._failure

    @property
    def holds(self) -> bool:
        """Whether the transaction is still open, and a commit still impossible."""
        stands = any(entry[1] is self for entry in self._connection.run_on_commit)
        return stands and (self._is_lost or is_broken(self._connection))

    def _is_silent(self, savepoint: str | None = None) -> bool:
        """
        Return whether this rollback happens at the end of a block that swallowed the error, so that the caller would
        not see an exception.
        """
        swallowed = sys.exc_info()[1] in (None, *_behind(self._cause))
        return swallowed and self._is_in_block and savepoint not in self._asked and self.holds

    def _refuse(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if not self.holds:
            self._leave()
            return execute(sql, params, many, context)
        if str(sql).startswith(_OF_SAVEPOINTS):
            return None  # no savepoint is left: inner blocks end as if theirs existed
        raise TransactionManagementError(
            f"The transaction was rolled back by database {self._connection.alias!r}; nothing more can be done in it."
        ) from self._failure

    def _commit(self) -> None:
        holds = self.holds
        self._leave()
        if not holds:
            self._connection.commit()
            return
        self._roll_back()
        raise self._failure

    def _rollback(self) -> None:
        silent = self._is_silent()
        self._leave()
        self._roll_back()
        if silent:
            raise self._failure

    def _savepoint_rollback(self, savepoint: str) -> None:
        silent = savepoint in self._savepoints and self._is_silent(savepoint)
        type(self._connection).savepoint_rollback(self._connection, savepoint)
        if silent:
            raise self._failure

    def _roll_back(self) -> None:
        try:
            self._connection.rollback()
        except Error:  # the session may have ended
            self._connection.close()

    def _set_rollback(self, rollback: bool) -> None:
        innermost = next(filter(None, reversed(self._connection.savepoint_ids)), None)
        (self._asked.add if rollback else self._asked.discard)(innermost)
        type(self._connection).set_rollback(self._connection, rollback)

    def _leave(self) -> None:
        for name in _TAKEN_OVER:
            vars(self._connection).pop(name, None)
        with suppress(ValueError):
            self._connection.execute_wrappers.remove(self._refuse)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions that were being handled when ``error`` was raised."""
    while error.__context__ is not None:
        error = error.__context__
        yield error
