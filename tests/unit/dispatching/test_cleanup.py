"""
Between two events, a lane's thread may keep usable database connections. Things that a receiver left behind, such as
open transactions, are removed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from edx_django_utils.cache import RequestCache
from pytest_django import DjangoDbBlocker

from event_bus_kafka.db_connections import open_connections
from event_bus_kafka.dispatching import cleanup
from event_bus_kafka.dispatching.pauses import read_now
from event_bus_kafka.errors import TransactionLeftOpen
from tests.support.databases import connected, none_known

ALIAS = "lane"


@pytest.fixture
def connection(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[BaseDatabaseWrapper]:
    """Return a connection to a database with a table. This thread has opened the connection."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database"), "CONN_MAX_AGE": 0}
    with none_known(), django_db_blocker.unblock(), connected(database, ALIAS):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("CREATE TABLE effects (id integer)")
        yield connections[ALIAS]


def effects(connection: BaseDatabaseWrapper) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM effects")
        return int(cursor.fetchone()[0])


def insert(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effects VALUES (1)")


def test_a_connection_stays_open_between_events(connection: BaseDatabaseWrapper) -> None:
    raw = connection.connection
    cleanup.prepare(60)
    assert connection.connection is raw


def test_a_connection_older_than_its_maximum_age_is_closed(connection: BaseDatabaseWrapper) -> None:
    for _ in range(2):
        connection.ensure_connection()
        cleanup.prepare(-1)
        assert connection.connection is None


def test_a_connection_that_is_unusable_after_an_error_is_closed(connection: BaseDatabaseWrapper) -> None:
    connection.connection.close()
    connection.errors_occurred = True
    cleanup.prepare(60)
    assert connection.connection is None


def test_connections_of_other_threads_are_not_closed(connection: BaseDatabaseWrapper) -> None:
    thread = Thread(target=cleanup.prepare, args=(-1,))
    thread.start()
    thread.join()
    assert connection.connection is not None


def test_the_query_log_of_debug_mode_is_cleared_unless_a_test_captures_queries(
    connection: BaseDatabaseWrapper,
) -> None:
    with override_settings(DEBUG=True):
        for _ in range(3):
            cleanup.prepare(60)
            insert(connection)
        assert len(connection.queries_log) == 1
        with CaptureQueriesContext(connection) as queries:
            for _ in range(3):
                cleanup.prepare(60)
                insert(connection)
    assert len(queries) == 3


def test_changes_of_a_receiver_are_kept_if_no_transaction_is_left_open(connection: BaseDatabaseWrapper) -> None:
    insert(connection)
    assert cleanup.roll_back_leftovers() is None
    assert effects(connection) == 1


@pytest.mark.parametrize("depth", [1, 3])
def test_case_42_open_transactions_of_a_receiver_are_rolled_back_without_a_reconnect(
    connection: BaseDatabaseWrapper, depth: int
) -> None:
    raw = connection.connection
    blocks = [transaction.atomic(using=ALIAS) for _ in range(depth)]
    for block in blocks:
        block.__enter__()
    insert(connection)
    left = cleanup.roll_back_leftovers()
    assert isinstance(left, TransactionLeftOpen)
    assert left.aliases == (ALIAS,)
    assert not connection.in_atomic_block
    assert effects(connection) == 0
    assert connection.connection is raw
    assert cleanup.roll_back_leftovers() is None


def test_autocommit_is_restored_and_changes_are_rolled_back_if_a_receiver_disabled_autocommit(
    connection: BaseDatabaseWrapper,
) -> None:
    transaction.set_autocommit(False, using=ALIAS)
    insert(connection)
    assert isinstance(cleanup.roll_back_leftovers(), TransactionLeftOpen)
    assert connection.get_autocommit()
    assert effects(connection) == 0


def test_a_transaction_left_open_on_a_closed_connection_is_reported_and_the_database_can_be_used_again(
    connection: BaseDatabaseWrapper,
) -> None:
    transaction.atomic(using=ALIAS).__enter__()
    connection.close()
    assert isinstance(cleanup.roll_back_leftovers(), TransactionLeftOpen)
    assert effects(connections[ALIAS]) == 0


def test_a_database_counts_as_unreachable_only_if_a_fresh_connection_fails(
    connection: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    connection.errors_occurred = True
    assert cleanup.failure_to_connect() is None
    connection.settings_dict["NAME"] = str(tmp_path / "no such folder" / "database")
    assert cleanup.failure_to_connect() is not None


@pytest.mark.django_db
def test_checking_a_database_in_memory_closes_the_connection_of_the_check() -> None:
    opened: list[Any] = []
    connections["default"].ensure_connection()

    def note(connection: BaseDatabaseWrapper, **_: Any) -> None:
        opened.append(connection.connection)

    connection_created.connect(note)
    try:
        with none_known():
            open_connections.remember(connections["default"])
            assert cleanup.failure_to_connect() is None
    finally:
        connection_created.disconnect(note)
    (raw,) = opened
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        raw.execute("SELECT 1")


def test_the_request_cache_is_cleared_after_an_event() -> None:
    RequestCache("any").set("key", "value")
    cleanup.clean()
    assert not RequestCache("any").get_cached_response("key").is_found


def test_an_open_transaction_is_rolled_back_after_its_connection_was_temporarily_replaced(
    connection: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    other = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "other")}
    with connected(other, ALIAS) as stand_in, stand_in.cursor():
        pass
    open_connections.adopt()
    transaction.atomic(using=ALIAS).__enter__()
    assert isinstance(cleanup.roll_back_leftovers(), TransactionLeftOpen)
    assert not connection.in_atomic_block


def test_c12_a_usable_connection_with_an_error_is_closed_after_a_failed_attempt(
    connection: BaseDatabaseWrapper,
) -> None:
    """After a failover a connection may still be open, but its server may have become read-only."""
    connection.close_at = None  # as with CONN_MAX_AGE = None
    connection.connection.execute("PRAGMA query_only = 1")
    with pytest.raises(OperationalError):
        insert(connection)
    cleanup.prepare(60)
    assert connection.connection is not None, "an error that the receiver has dealt with costs no connection"
    connection.errors_occurred = True
    cleanup.close_after_errors()
    assert connection.connection is None
    insert(connection)
    cleanup.close_after_errors()
    assert connection.connection is not None


def test_c14_pooled_connections_return_to_the_pool_after_each_event(connection: BaseDatabaseWrapper) -> None:
    """Formerly four lanes kept all four connections of a pool, and never returned them."""
    cleanup.clean()
    assert connection.connection is not None
    connection.settings_dict["OPTIONS"]["pool"] = True
    cleanup.clean()
    assert connection.connection is None


def test_a_pooled_connection_is_kept_while_a_surrounding_transaction_is_open(
    connection: BaseDatabaseWrapper,
) -> None:
    """A TestCase may call ``deliver()``. The transaction of the TestCase must then stay open."""
    connection.settings_dict["OPTIONS"]["pool"] = True
    with transaction.atomic(using=ALIAS):
        cleanup.clean()
        insert(connection)
    assert effects(connection) == 1


def test_a_database_counts_as_unreachable_if_connecting_raises_any_exception(
    connection: BaseDatabaseWrapper,
) -> None:
    """Some database backends fetch a password before connecting. This fetch may raise any exception."""

    class Fetching(type(connection)):  # type: ignore[misc]
        def get_new_connection(self, _: Any) -> Any:
            raise LookupError

    connection.__class__ = Fetching
    assert cleanup.failure_to_connect() is not None


@pytest.fixture
def pooled(connection: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    """
    Yield the connection, changed so that it behaves like a connection from a pool. The pool hands out this connection
    again, even if its server has become unusable.
    """
    raw = connection.connection

    class Pooled(type(connection)):  # type: ignore[misc]
        def get_new_connection(self, parameters: Any) -> Any:
            return raw if "pool" in self.settings_dict["OPTIONS"] else super().get_new_connection(parameters)

        def get_connection_params(self) -> Any:
            return {name: value for name, value in super().get_connection_params().items() if name != "pool"}

        def _close(self) -> None:
            """Return the connection to the pool instead of closing it."""
            if "pool" not in self.settings_dict["OPTIONS"]:
                super()._close()

    connection.settings_dict["OPTIONS"]["pool"] = True
    connection.__class__ = Pooled
    yield connection
    raw.close()


def test_checking_a_database_does_not_use_its_connection_pool(pooled: BaseDatabaseWrapper, tmp_path: Path) -> None:
    """
    A pool may hand out a connection that was opened earlier, or may have no free connection. Neither shows whether the
    database is reachable.
    """
    assert cleanup.failure_to_connect() is None
    pooled.settings_dict["NAME"] = str(tmp_path / "no such folder" / "database")
    assert cleanup.failure_to_connect() is not None
    insert(pooled)  # the thread's own connection is unchanged


def test_c12_a_connection_with_an_error_is_closed_before_it_returns_to_the_pool(
    pooled: BaseDatabaseWrapper,
) -> None:
    """If the connection were not closed, the pool would hand out the same read-only connection again."""
    raw = pooled.connection
    pooled.errors_occurred = True
    cleanup.close_after_errors()
    assert pooled.connection is None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        raw.execute("SELECT 1")


def test_a_database_counts_as_reachable_even_if_closing_the_checked_connection_fails(
    connection: BaseDatabaseWrapper,
) -> None:
    class Stubborn(type(connection)):  # type: ignore[misc]
        def _close(self) -> None:
            super()._close()
            raise OperationalError

    usual, connection.__class__ = type(connection), Stubborn
    assert cleanup.failure_to_connect() is None
    connection.__class__ = usual


@pytest.mark.django_db
def test_a_starting_worker_returns_its_connection_to_the_pool_after_reading_the_pauses(
    pooled: BaseDatabaseWrapper,
) -> None:
    """
    If the worker did not return the connection, a pool of two connections would have only one free connection as long
    as the worker runs.
    """
    assert read_now()() == frozenset()
    assert pooled.connection is None
