"""Runs actions, such as sending an event, after the commit of the open transactions, and never after a rollback."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.db_connections import open_connections
from event_bus_kafka.errors import ConfigurationError, ManualTransaction

Action = Callable[[str | None], None]
"""
A callback. If it waited for commits, its argument is the alias of one of the databases that have committed, the default
alias if possible. If no transaction was open, its argument is the alias that the caller gave, or None.
"""


def after_commit(action: Action, *, database: str | None) -> None:
    """
    Run ``action`` after the commits of all open transactions; at once if none is open.

    If one of the transactions, or the savepoint around this call, rolls back, ``action`` never runs. ``database``: the
    only alias whose transaction counts; None: all aliases with an open transaction count. Raises as
    :func:`open_transactions` does.
    """
    nothing_open = database is None and not open_connections.any_is(is_open)
    deciding = [] if nothing_open else open_transactions(database)
    if not deciding:
        action(database)
        return
    after_all(deciding, action)


def open_transactions(database: str | None) -> list[BaseDatabaseWrapper]:
    """
    Return the connections with an open transaction. An event waits until all of them commit. ``database``: the only
    alias that counts; None: all aliases count.

    Raises :class:`ManualTransaction` if autocommit is switched off on one of the connections that count, because Django
    has no hook for its commit. Raises :class:`ConfigurationError` if there is no such alias.
    """
    deciding = [connection_of(database)] if database else connections.all(initialized_only=True)
    for connection in deciding:
        if is_manual(connection):
            raise ManualTransaction(
                f"Database {connection.alias!r} has autocommit switched off: Django has no hook for its commit. Use "
                "transaction.atomic(), or migrate the outbox, or set mode 'immediate' for the topic."
            )
    return [connection for connection in deciding if connection.in_atomic_block]


@attrs.frozen(eq=False)
class _Hook:
    """A commit hook of this package. The class distinguishes the hook from the hooks of other apps."""

    action: Callable[[], None]

    def __call__(self) -> None:
        self.action()


def on_commit(connection: BaseDatabaseWrapper, action: Callable[[], None]) -> None:
    """
    Run ``action`` after the commit of the open transaction, and after the actions that earlier calls have added.

    Outside of Django's TestCase, the action runs before the hooks of other apps, because a hook that raises keeps the
    later hooks from running. Django drops the action with the transaction or with its savepoint. In Django's TestCase,
    whose transaction never commits, ``captureOnCommitCallbacks`` finds the action.
    """

    hooks: list[Any] = connection.run_on_commit
    place = len(hooks) if is_in_test_case(connection) else _behind_ours(hooks)
    hooks.insert(place, (set(connection.savepoint_ids), _Hook(action), True))


def is_awaited(connection: BaseDatabaseWrapper, action: Callable[[], None]) -> bool:
    """Return whether ``action`` still waits for the commit of the connection's transaction."""
    return any(isinstance(one[1], _Hook) and one[1].action is action for one in connection.run_on_commit)


def after_all(deciding: list[BaseDatabaseWrapper], action: Action) -> None:
    """Run ``action`` after the open transactions of all connections in ``deciding`` have committed."""
    pending = {connection.alias for connection in deciding}
    decided = DEFAULT_DB_ALIAS if DEFAULT_DB_ALIAS in pending else deciding[0].alias

    def committed(alias: str) -> None:
        pending.discard(alias)  # an alias that rolls back stays: Django drops its callback, and nothing is sent
        if not pending:
            action(decided)

    for connection in deciding:
        on_commit(connection, partial(committed, connection.alias))


def _behind_ours(hooks: list[Any]) -> int:
    """
    Return the index at which to insert the next hook of this package: after this package's other hooks. The hooks of
    this package come first in ``hooks``, unless another app moved them.
    """
    if not hooks or _is_ours(hooks[-1]):
        return len(hooks)
    if _is_ours(hooks[0]):
        return bisect_left(hooks, True, key=lambda entry: not _is_ours(entry))
    return next((place for place in range(len(hooks), 0, -1) if _is_ours(hooks[place - 1])), 0)


def _is_ours(entry: tuple[Any, Any, bool]) -> bool:
    return isinstance(entry[1], _Hook)


def is_in_test_case(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the open transaction belongs to Django's TestCase. If so, the transaction never commits."""
    blocks = connection.atomic_blocks
    return bool(blocks) and getattr(blocks[0], "_from_testcase", False)


def is_open(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a transaction is open, in ``atomic()`` or with autocommit switched off."""
    return connection.in_atomic_block or is_manual(connection)


def is_manual(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the open transaction was begun by switching autocommit off."""
    if connection.in_atomic_block:  # atomic() does not commit then: a later rollback() drops its changes
        return not connection.commit_on_exit
    return connection.connection is not None and not connection.autocommit


def connection_of(alias: str) -> BaseDatabaseWrapper:
    """Return the connection of an alias. Raises :class:`ConfigurationError` if there is no such alias."""
    if alias not in connections:
        raise ConfigurationError(f"There is no database {alias!r}: correct the key 'database' of the topic.")
    return connections[alias]
