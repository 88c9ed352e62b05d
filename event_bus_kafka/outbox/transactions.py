"""When an event may leave: after the commit of the transaction in which it was emitted, and not if that rolls back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.db_connections import open_connections
from event_bus_kafka.errors import ConfigurationError, ManualTransaction

Action = Callable[[str | None], None]
"""Gets the alias of the database that decided; None where nothing was open and none was named."""


def after_commit(action: Action, *, database: str | None) -> None:
    """
    Run ``action`` once everything that is open now has committed; at once where nothing is open; never if one of the
    transactions or the savepoint around this call rolls back.

    ``database`` names the alias that decides; None: all aliases with an open transaction. Raises as
    :func:`open_transactions` does.
    """
    nothing_open = database is None and not any(map(is_open, open_connections.by_alias.values()))
    deciding = [] if nothing_open else open_transactions(database)
    if not deciding:
        action(database)
        return
    _after_all(deciding, action)


def open_transactions(database: str | None) -> list[BaseDatabaseWrapper]:
    """
    Return the connections whose commits decide on what is emitted now: of one alias, or of all.

    Raises :class:`ManualTransaction` inside a transaction that was begun by switching autocommit off, which tells
    nobody of its commit.
    """
    deciding = [connection_of(database)] if database else connections.all()
    for connection in deciding:
        if is_manual(connection):
            raise ManualTransaction(
                f"Database {connection.alias!r} has autocommit switched off: its commit cannot be waited for. Use "
                "transaction.atomic(), or migrate the outbox, or set mode 'immediate' for the topic."
            )
    return [connection for connection in deciding if connection.in_atomic_block]


def _after_all(deciding: list[BaseDatabaseWrapper], action: Action) -> None:
    pending = {connection.alias for connection in deciding}
    decided = DEFAULT_DB_ALIAS if DEFAULT_DB_ALIAS in pending else deciding[0].alias

    def committed(alias: str) -> None:
        pending.discard(alias)  # an alias that rolls back stays: Django drops its callback, and nothing is sent
        if not pending:
            action(decided)

    for connection in deciding:
        connection.on_commit(partial(committed, connection.alias), robust=True)


def is_open(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open, begun in whatever way."""
    return connection.in_atomic_block or is_manual(connection)


def outbox_connection(
    database: str | None, is_open: Callable[[BaseDatabaseWrapper], bool] = is_open
) -> BaseDatabaseWrapper:
    """
    Return the connection whose outbox takes what is emitted now: of one alias, else the only one with an open
    transaction, else the default one. Raises :class:`ConfigurationError` where several are open and that is none.
    """
    if database:
        return connection_of(database)
    deciding = [connection for connection in connections.all(initialized_only=True) if is_open(connection)]
    if len(deciding) == 1:
        return deciding[0]
    if deciding and all(connection.alias != DEFAULT_DB_ALIAS for connection in deciding):
        aliases = ", ".join(connection.alias for connection in deciding)
        raise ConfigurationError(
            f"Transactions are open on {aliases}: name the one whose outbox takes the event with the key 'database' of "
            "the topic in EVENT_BUS_PRODUCER_CONFIG."
        )
    return connections[DEFAULT_DB_ALIAS]


def is_manual(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open that was begun by switching autocommit off."""
    if connection.in_atomic_block:  # inside atomic() too: a later rollback() would drop what has been committed
        return not connection.commit_on_exit
    return connection.connection is not None and not connection.autocommit


def connection_of(alias: str) -> BaseDatabaseWrapper:
    """Return the connection of an alias. Raises :class:`ConfigurationError`."""
    if alias not in connections:
        raise ConfigurationError(f"There is no database {alias!r}: correct the key 'database' of the topic.")
    return connections[alias]
