"""
Cleans up a lane's thread between events: its database connections, and its caches (see ``event_context.py``).

Language, time zone and context variables need no cleaning, because each event runs in its own context.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from edx_django_utils.cache import RequestCache

from event_bus_kafka.db_connections import close, open_connections
from event_bus_kafka.errors import AppendFailed, TransactionLeftOpen, without_traceback


def prepare(max_age: float) -> None:
    """
    Close connections that are unusable or older than ``max_age`` seconds; the next query opens a new connection.

    Clear the log of queries that Django keeps under ``DEBUG``, because Django clears it only when a request begins.
    """
    for alias, connection in open_connections.by_alias.items():
        if not connection.force_debug_cursor:  # otherwise a test counts queries
            connection.queries_log.clear()
        if connection.connection is None:
            continue
        if _is_closed(connection.connection) or monotonic() - open_connections.since[alias] > max_age:
            close(connection)
        elif connection.errors_occurred:
            with suppress(Error):
                connection.close_if_unusable_or_obsolete()


def clean() -> None:
    """
    Clear the request caches. Give pooled connections back to their pools, since other threads may wait for them.

    A connection inside a transaction is not given back, because the transaction belongs to a test that surrounds the
    event.
    """
    RequestCache.clear_all_namespaces()
    give_back()


def give_back() -> None:
    """Give pooled connections back to their pools, except connections inside a transaction."""
    for connection in open_connections.by_alias.values():
        if connection.connection is not None and is_pooled(connection) and not connection.in_atomic_block:
            close(connection)


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Return whether Django takes the connections to this database from a pool that all threads share."""
    return bool(connection.settings_dict["OPTIONS"].get("pool"))


def close_after_errors() -> None:
    """
    After a failed attempt, close the connections on which an error occurred, so that the next attempt opens new
    connections.

    After a failover, an open connection may look healthy, although its server is read-only now. If a connection is
    pooled, the driver's connection is closed before the pool gets it back, so that the pool does not hand it out again.
    """
    for connection in open_connections.by_alias.values():
        if connection.connection is not None and connection.errors_occurred:
            if is_pooled(connection):
                _end(connection)
            close(connection)


def roll_back_leftovers() -> TransactionLeftOpen | None:
    """
    Roll back transactions that a receiver left open. Return an error with the aliases of the databases; None if no
    transaction was open.
    """
    left = [connection for connection in open_connections.by_alias.values() if _is_in_transaction(connection)]
    for connection in left:
        _roll_back(connection)
    return TransactionLeftOpen([connection.alias for connection in left]) if left else None


def failure_to_connect() -> Exception | None:
    """
    Open a fresh connection to each database that this thread has used. Return the first error; None: no error occurred.

    An error on an existing connection does not prove that the database is away, because a deadlock or a too large
    statement looks the same. A pooled connection proves nothing either, because it may be older than the outage.
    Besides, other threads may use all connections of the pool.
    """
    for connection in open_connections.by_alias.values():
        fresh = connection.copy()
        fresh.settings_dict["OPTIONS"].pop("pool", None)
        try:
            with fresh.wrap_database_errors:  # connect() alone would raise the errors of the driver
                fresh.connect()
        except Exception as error:  # noqa: BLE001 backends that fetch their passwords raise anything
            return without_traceback(error)
        finally:
            close(fresh)
            _end(fresh)  # Django does not close a database in memory
    return None


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    if connection.connection is None:
        return connection.in_atomic_block
    return connection.in_atomic_block or (connection.settings_dict["AUTOCOMMIT"] and not connection.autocommit)


def _roll_back(connection: BaseDatabaseWrapper) -> None:
    """Roll back on the same connection if the server answers; otherwise discard Django's connection object."""
    error = TransactionLeftOpen([connection.alias])
    try:
        for block in connection.atomic_blocks[::-1]:
            block.__exit__(type(error), error, None)
        if not connection.autocommit:
            connection.rollback()
            connection.set_autocommit(True)
    except (Error, AppendFailed):  # AppendFailed: an event emitted in the transaction has doomed it
        close(connection)
    if _is_in_transaction(connection):
        del connections[connection.alias]
        del open_connections.by_alias[connection.alias]


def _end(connection: BaseDatabaseWrapper) -> None:
    """
    Close the driver's connection, if there is one. This is not left to Django's connection object, because that object
    may keep the connection open.
    """
    if connection.connection is not None:
        with suppress(Error), connection.wrap_database_errors:
            connection.connection.close()


def _is_closed(raw: Any) -> bool:
    """Return whether the driver says that its connection is closed. psycopg and mysqlclient can say so."""
    return bool(getattr(raw, "closed", False)) or not getattr(raw, "open", True)
