"""
Cleans up what a lane's thread keeps between events: database connections, and caches (``event_context.py``).

Language, time zone and context variables need no cleaning: each event runs in a context of its own.
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
    Close connections that are unusable or older than ``max_age`` seconds; the next query opens a new one.

    Forget the queries that Django records under ``DEBUG``: it forgets them only when a request begins.
    """
    for alias, connection in open_connections.by_alias.items():
        if not connection.force_debug_cursor:  # else a test counts them
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
    Empty the request caches, and give connections of a pool back to it: other threads may wait for one. Transactions
    that are open still are a test's, around the event.
    """
    RequestCache.clear_all_namespaces()
    give_back()


def give_back() -> None:
    """Give connections of a pool back to it, but for those in a transaction."""
    for connection in open_connections.by_alias.values():
        if connection.connection is not None and is_pooled(connection) and not connection.in_atomic_block:
            close(connection)


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Whether Django has a pool of connections to this database, which all threads share."""
    return bool(connection.settings_dict["OPTIONS"].get("pool"))


def close_after_errors() -> None:
    """
    Close connections on which there was an error, after an attempt that failed: the next one shall have new ones.

    After a failover an open connection may lead to a server that has become read-only, and look well. So one of a pool
    is ended before it is given back: the pool would hand it out again.
    """
    for connection in open_connections.by_alias.values():
        if connection.connection is not None and connection.errors_occurred:
            if is_pooled(connection):
                _end(connection)
            close(connection)


def roll_back_leftovers() -> TransactionLeftOpen | None:
    """Roll back transactions that a receiver has left open; return the error that this is, None without any."""
    left = [connection for connection in open_connections.by_alias.values() if _is_in_transaction(connection)]
    for connection in left:
        _roll_back(connection)
    return TransactionLeftOpen([connection.alias for connection in left]) if left else None


def failure_to_connect() -> Exception | None:
    """
    Return why no fresh connection can be made to a database of this thread, None if there is one to each.

    An error on an old connection proves nothing: a deadlock or a statement that is too large looks the same. Nor does
    one of a pool, which may have been there before the server went away, or be late because others have them all.
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
            _end(fresh)  # if it is a database in memory, which Django leaves open
    return None


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    if connection.connection is None:
        return connection.in_atomic_block
    return connection.in_atomic_block or (connection.settings_dict["AUTOCOMMIT"] and not connection.autocommit)


def _roll_back(connection: BaseDatabaseWrapper) -> None:
    """Without a reconnect where the server answers; the wrapper is thrown away where it does not."""
    error = TransactionLeftOpen([connection.alias])
    try:
        for block in connection.atomic_blocks[::-1]:
            block.__exit__(type(error), error, None)
        if not connection.autocommit:
            connection.rollback()
            connection.set_autocommit(True)
    except (Error, AppendFailed):  # the latter where an event that was emitted in it has doomed it
        close(connection)
    if _is_in_transaction(connection):
        del connections[connection.alias]
        del open_connections.by_alias[connection.alias]


def _end(connection: BaseDatabaseWrapper) -> None:
    """Close the driver's connection, if there is one still: the wrapper may have other ideas of closing."""
    if connection.connection is not None:
        with suppress(Error), connection.wrap_database_errors:
            connection.connection.close()


def _is_closed(raw: Any) -> bool:
    """Whether a driver knows that its connection is closed: psycopg and mysqlclient do."""
    return bool(getattr(raw, "closed", False)) or not getattr(raw, "open", True)
