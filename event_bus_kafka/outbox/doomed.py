"""
Transactions that cannot be committed any more because an append failed in them.

Django would end their blocks as if all were well: PostgreSQL answers the COMMIT of a broken transaction with a
rollback, InnoDB begins a new transaction after one that it has rolled back. Here the block ends with an exception.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import attrs
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError

from event_bus_kafka.outbox.transactions import is_open

_BROKEN = 3
"""PostgreSQL's name for a transaction in which only a rollback is possible, the same in both of its drivers."""
_DEADLOCK, _LOCK_TABLE_FULL, _CHANGED_SINCE_READ, _NODE_NOT_READY, _COMMIT_FAILED = 1213, 1206, 1020, 1047, 1180
_ROLLED_BACK = (_DEADLOCK, _LOCK_TABLE_FULL, _CHANGED_SINCE_READ, _NODE_NOT_READY, _COMMIT_FAILED)
"""MySQL's errors after which nothing is left of a transaction; the last two come from Galera."""
_LOCK_TIMEOUT = 1205
"""The same where ``innodb_rollback_on_timeout`` is set."""
_OF_SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


def doom(connection: BaseDatabaseWrapper, cause: Error, failure: Exception) -> bool:
    """
    Let the block of the open transaction end with ``failure`` if it cannot be committed after ``cause``. Return whether
    that is so.

    Of a broken one that is true until its savepoint has been rolled back. One that the server has rolled back is gone:
    what the block does next would be committed without what came before, and is refused.
    """
    if not is_open(connection) or connection.connection is None:
        return False
    if _was_rolled_back(connection, cause):
        connection.connection.rollback()
        _LostTransaction(connection, failure, cause).refuse_what_follows()
        return True
    if _is_broken(connection):
        _add_first(connection, _raising(failure), savepoints=connection.savepoint_ids)
        return True
    return False


def _was_rolled_back(connection: BaseDatabaseWrapper, cause: Error) -> bool:
    if connection.vendor == "sqlite":
        return not connection.connection.in_transaction
    if connection.vendor != "mysql" or not cause.args:
        return False
    code = cause.args[0]
    return code in _ROLLED_BACK or (code == _LOCK_TIMEOUT and _rolls_back_on_timeout(connection))


def _rolls_back_on_timeout(connection: BaseDatabaseWrapper) -> bool:
    cursor = connection.connection.cursor()  # not Django's: a block around may have to be rolled back
    cursor.execute("SELECT @@innodb_rollback_on_timeout")
    return bool(cursor.fetchone()[0])


def _is_broken(connection: BaseDatabaseWrapper) -> bool:
    return connection.vendor == "postgresql" and connection.connection.info.transaction_status == _BROKEN


def _raising(failure: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise failure

    return fail


def _add_first(connection: BaseDatabaseWrapper, hook: Callable[[], None], savepoints: Iterable[Any]) -> None:
    hooks: list[Any] = connection.run_on_commit
    hooks.insert(0, (set(savepoints), hook, False))


@attrs.frozen(eq=False)
class _LostTransaction:
    """
    A transaction that was rolled back by the server, while its block goes on.

    It is a hook of the commit itself. Django drops that at the end of the transaction, however it ends: so it tells
    whether it has ended.
    """

    _connection: BaseDatabaseWrapper
    _failure: Exception
    _cause: Exception

    def refuse_what_follows(self) -> None:
        connection: Any = self._connection
        _add_first(connection, self, savepoints=())
        connection.execute_wrappers.insert(0, self._refuse)  # who has one of his own takes the last one away
        connection.needs_rollback = False
        if connection.in_atomic_block:
            connection.rollback = self._rollback

    def __call__(self) -> None:
        self._leave()
        raise self._failure

    def _refuse(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if self._has_ended:
            self._leave()
            return execute(sql, params, many, context)
        if str(sql).startswith(_OF_SAVEPOINTS):
            return None  # there are none any more: blocks inside of the one that fails end as if there were
        raise TransactionManagementError(
            f"The transaction was rolled back by database {self._connection.alias!r}; nothing more can be done in it."
        ) from self._failure

    def _rollback(self) -> None:
        """What Django calls in place of a commit once a query was refused, if the caller has caught that."""
        is_late = self._has_ended
        self._leave()
        self._connection.rollback()
        if not is_late and sys.exc_info()[1] in (None, *_contexts(self._cause)):
            raise self._failure

    def _leave(self) -> None:
        vars(self._connection).pop("rollback", None)
        with suppress(ValueError):
            self._connection.execute_wrappers.remove(self._refuse)

    @property
    def _has_ended(self) -> bool:
        return all(entry[1] is not self for entry in self._connection.run_on_commit)


def _contexts(error: BaseException) -> Iterator[BaseException]:
    """Yield what was handled already when an error came."""
    while error.__context__ is not None:
        error = error.__context__
        yield error
