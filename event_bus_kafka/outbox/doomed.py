"""
Makes blocks fail whose transaction cannot commit any more because an append failed in it.

Django would end such a block without an exception: PostgreSQL answers the COMMIT of a broken transaction with a
rollback, and InnoDB begins a new transaction after one that it has rolled back. Here the block ends with an exception.
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
"""PostgreSQL's name for a transaction that can only be rolled back; the same in both of its drivers."""
_DEADLOCK, _LOCK_TABLE_FULL, _CHANGED_SINCE_READ, _NODE_NOT_READY, _COMMIT_FAILED = 1213, 1206, 1020, 1047, 1180
_ROLLED_BACK = {_DEADLOCK, _LOCK_TABLE_FULL, _CHANGED_SINCE_READ, _NODE_NOT_READY, _COMMIT_FAILED}
"""MySQL's errors after which the whole transaction is rolled back; the last two are Galera's."""
_LOCK_TIMEOUT = 1205
"""MySQL's error that rolls the transaction back if ``innodb_rollback_on_timeout`` is set."""
_TAKEN_OVER = ("commit", "rollback", "savepoint_rollback", "set_rollback")
"""Methods of a connection by which Django and its callers end a transaction or a savepoint."""
_OF_SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


def doom(connection: BaseDatabaseWrapper, cause: Exception, failure: Exception) -> bool:
    """
    Let the block of the open transaction end with ``failure`` if ``cause`` has made a commit impossible; return
    whether.

    Call it only if Django would not have rolled the transaction back before ``cause``. A broken transaction can be
    mended by rolling back its savepoint. One that the server has rolled back, or whose session has ended, is gone: the
    rest of the block would be committed without its beginning, so it is refused.
    """
    if not is_open(connection) or connection.connection is None:
        return False
    if is_doomed(connection):
        return True
    lost = connection.needs_rollback or _was_rolled_back(connection, cause)  # or a savepoint of ours cannot be restored
    if lost:
        with suppress(Exception):  # of any driver: its connection may be dead
            connection.connection.rollback()
        connection.needs_rollback = False  # with it the block would end without a commit, and without a word
    if lost or is_broken(connection):
        _Doomed(connection, failure, cause, is_lost=lost).begin()
        return True
    return False


def is_doomed(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the open transaction accepts no more statements."""
    return any(isinstance(entry[1], _Doomed) and entry[1].holds for entry in connection.run_on_commit)


def is_broken(connection: BaseDatabaseWrapper) -> bool:
    """
    Return whether an error has left the open transaction, or a savepoint in it, so that it can only be rolled back.
    """
    raw = connection.connection
    if connection.vendor != "postgresql" or raw is None:
        return False
    status = getattr(getattr(raw, "info", None), "transaction_status", None)
    return status == _BROKEN if status is not None else not _answers(raw)


def _answers(raw: Any) -> bool:
    """Return whether a connection answers a query: one that a pool has wrapped does not show its state."""
    try:
        with raw.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:  # noqa: BLE001 of any driver
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
        cursor = connection.connection.cursor()  # not Django's: who listens to queries has nothing to do with it
        cursor.execute("SELECT @@innodb_rollback_on_timeout")
        return bool(cursor.fetchone()[0])
    return True


def _has_ended(connection: BaseDatabaseWrapper) -> bool:
    """
    Return whether the session has ended: then Django may end a block without an exception, if the caller swallows one.
    """
    if connection.vendor == "postgresql":
        return bool(getattr(connection.connection, "closed", False))
    return not connection.is_usable()


@attrs.define(eq=False)
class _Doomed:
    """
    A transaction that cannot commit, while its block goes on.

    It replaces the connection's methods that end a transaction, until the transaction ends. It is also a hook of the
    commit: Django drops the hook with the transaction, or with the savepoint that is broken, so the hook shows whether
    the fault is still there.
    """

    _connection: BaseDatabaseWrapper
    _failure: Exception
    _cause: Exception
    _is_lost: bool = attrs.field(kw_only=True)
    _is_in_block: bool = attrs.field(init=False)
    """Whether Django commits at the end of a block, rather than the caller by hand."""
    _savepoints: set[str | None] = attrs.field(factory=set, init=False)
    """Savepoints whose rollback removes the fault."""
    _asked: set[str | None] = attrs.field(factory=set, init=False)
    """Savepoints that the caller asked to roll back by hand; None stands for the transaction."""

    def begin(self) -> None:
        connection: Any = self._connection
        self._is_in_block = connection.in_atomic_block and connection.commit_on_exit
        self._savepoints = set() if self._is_lost else set(connection.savepoint_ids)
        place = len(connection.run_on_commit) if is_in_test_case(connection) else 0
        connection.run_on_commit.insert(place, (self._savepoints, self, False))
        for name in _TAKEN_OVER:
            setattr(connection, name, getattr(self, f"_{name}"))
        if self._is_lost:
            connection.execute_wrappers.insert(0, self._refuse)  # who has one of his own takes the last one away

    def __call__(self) -> None:
        self._leave()
        if self._is_lost:
            raise self._failure

    @property
    def holds(self) -> bool:
        """Whether the transaction is still open, and can only be rolled back."""
        stands = any(entry[1] is self for entry in self._connection.run_on_commit)
        return stands and (self._is_lost or is_broken(self._connection))

    def _is_silent(self, savepoint: str | None = None) -> bool:
        """Whether a rollback ends a block in which an error was swallowed, so that no exception would tell."""
        swallowed = sys.exc_info()[1] in (None, *_behind(self._cause))
        return swallowed and self._is_in_block and savepoint not in self._asked and self.holds

    def _refuse(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if not self.holds:
            self._leave()
            return execute(sql, params, many, context)
        if str(sql).startswith(_OF_SAVEPOINTS):
            return None  # there are none any more: blocks inside of the one that fails end as if there were
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
        except Error:  # the session may be over
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
    """Yield the exceptions that were being handled when an error was raised."""
    while error.__context__ is not None:
        error = error.__context__
        yield error
