"""
Transactions that cannot be committed any more because an append failed in them.

Django would end their blocks as if all were well: PostgreSQL answers the COMMIT of a broken transaction with a
rollback, InnoDB begins a new transaction after one that it has rolled back. Here the block ends with an exception.
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
"""PostgreSQL's name for a transaction in which only a rollback is possible, the same in both of its drivers."""
_DEADLOCK, _LOCK_TABLE_FULL, _CHANGED_SINCE_READ, _NODE_NOT_READY, _COMMIT_FAILED = 1213, 1206, 1020, 1047, 1180
_ROLLED_BACK = {_DEADLOCK, _LOCK_TABLE_FULL, _CHANGED_SINCE_READ, _NODE_NOT_READY, _COMMIT_FAILED}
"""MySQL's errors after which nothing is left of a transaction; the last two come from Galera."""
_LOCK_TIMEOUT = 1205
"""The same where ``innodb_rollback_on_timeout`` is set."""
_TAKEN_OVER = ("commit", "rollback", "savepoint_rollback", "set_rollback")
"""The methods of a connection with which Django and its callers end a transaction, or a part of it."""
_OF_SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


def doom(connection: BaseDatabaseWrapper, cause: Exception, failure: Exception) -> bool:
    """
    Let the block of the open transaction end with ``failure`` if it cannot be committed after ``cause``. Return whether
    that is so. To be called where Django would not have rolled it back before ``cause``.

    Of a broken one that is true until its savepoint has been rolled back. One that the server has rolled back, or whose
    session has ended, is gone: what the block does next would be committed without what came before, and is refused.
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
    """Whether nothing can be asked or written in the open transaction."""
    return any(isinstance(entry[1], _Doomed) and entry[1].holds for entry in connection.run_on_commit)


def is_broken(connection: BaseDatabaseWrapper) -> bool:
    """Whether an error has left the open transaction so that it, or a savepoint in it, can only be rolled back."""
    raw = connection.connection
    if connection.vendor != "postgresql" or raw is None:
        return False
    status = getattr(getattr(raw, "info", None), "transaction_status", None)
    return status == _BROKEN if status is not None else not _answers(raw)


def _answers(raw: Any) -> bool:
    """Ask a connection that a pool has wrapped, and that does not tell its state."""
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
    """Whether the session is over: with it Django may end a block in silence, if the caller swallows an exception."""
    if connection.vendor == "postgresql":
        return bool(getattr(connection.connection, "closed", False))
    return not connection.is_usable()


@attrs.define(eq=False)
class _Doomed:
    """
    A transaction that cannot commit, while its block goes on. It takes the place of its connection's methods that end
    a transaction, until it ends.

    It is a hook of the commit too, which Django drops at the end of the transaction, however that ends, or with the
    savepoint in which a transaction is broken: so it tells whether it still stands.
    """

    _connection: BaseDatabaseWrapper
    _failure: Exception
    _cause: Exception
    _is_lost: bool = attrs.field(kw_only=True)
    _is_in_block: bool = attrs.field(init=False)
    """Whether Django commits at the end of a block, and not the caller by himself."""
    _savepoints: set[str | None] = attrs.field(factory=set, init=False)
    """With whichever of these the fault is rolled back."""
    _asked: set[str | None] = attrs.field(factory=set, init=False)
    """The savepoints that the caller has asked to roll back himself; None: the transaction."""

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
        """Whether the transaction goes on, and can only be rolled back."""
        stands = any(entry[1] is self for entry in self._connection.run_on_commit)
        return stands and (self._is_lost or is_broken(self._connection))

    def _is_silent(self, savepoint: str | None = None) -> bool:
        """Whether a rollback comes from the end of a block in which an error was swallowed: nobody would hear of it."""
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
    """Yield what was handled already when an error came."""
    while error.__context__ is not None:
        error = error.__context__
        yield error
