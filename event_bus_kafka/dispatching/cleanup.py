"""
Cleans up a lane's thread between events: database connections, and caches (see ``event_context.py``).

Language, time zone and context variables need no cleaning: each event runs in its own context.
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

    Clear the log of queries that Django keeps under ``DEBUG``: Django clears it only when a request begins.
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

    Connections inside a transaction are kept: the transaction belongs to a test around the event.
    """
    RequestCache.clear_all_namespaces()
    give_back()


def give_back() -> None:
    """Give pooled connections back to their pools, except connections inside a transaction."""
    for connection in open_connections.by_alias.values():
        if connection.connection is not None and is_pooled(connection) and not connection.in_atomic_block:
            close(connection)


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Return whether Django shares a pool of connections to this database among all threads."""
    return bool(connection.settings_dict["OPTIONS"].get("pool"))


def close_after_errors() -> None:
    """
    Close connections on which an error occurred, after a failed attempt: the next attempt opens new connections.

    After a failover an open connection may lead to a server that is read-only now, and still look healthy. Before a
    pooled connection is given back to its pool, the driver's connection is closed, so that the pool does not hand it
    out again.
    """
    for connection in open_connections.by_alias.values():
        if connection.connection is not None and connection.errors_occurred:
            if is_pooled(connection):
                _end(connection)
            close(connection)


def roll_back_leftovers() -> TransactionLeftOpen | None:
    """
    Roll back transactions that a receiver left open. Return the error that tells of them; None if there were none.
    """
    left = [connection for connection in open_connections.by_alias.values() if _is_in_transaction(connection)]
    for connection in left:
        _roll_back(connection)
    return TransactionLeftOpen([connection.alias for connection in left]) if left else None


def failure_to_connect() -> Exception | None:
    """
    Open a fresh connection to each database that this thread has used; return the first error, or None.

    An error on an existing connection does not prove that the database is away: a deadlock or a statement that is too
    large looks the same. A pooled connection proves nothing either: it may be older than the outage, or other threads
    may use all connections of the pool.
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
    Close the driver's connection, if there is one. Django's connection object is not asked to close it, since that
    object may keep it open.
    """
    if connection.connection is not None:
        with suppress(Error), connection.wrap_database_errors:
            connection.connection.close()


def _is_closed(raw: Any) -> bool:
    """Return whether the driver reports its connection as closed; psycopg and mysqlclient do."""
    return bool(getattr(raw, "closed", False)) or not getattr(raw, "open", True)
