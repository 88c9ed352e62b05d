"""What is open is seen without asking Django at each event, in threads too and on connections of others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from event_bus_kafka.db_connections import open_connections
from event_bus_kafka.outbox.transactions import after_commit

pytestmark = pytest.mark.django_db(transaction=True)


def in_a_thread(run: Callable[[], list[str]]) -> list[str]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def close(connection: BaseDatabaseWrapper) -> None:
    """Close a database in memory, which Django leaves open."""
    connection.connection.close()


def test_a_thread_that_has_sent_before_it_opened_a_connection_waits_for_its_commit() -> None:
    def run() -> list[str]:
        order: list[str] = []
        after_commit(lambda _: order.append("at once"), database=None)
        with transaction.atomic():
            after_commit(lambda _: order.append("after the commit"), database=None)
            order.append("before the commit")
        close(connections["default"])
        return order

    assert in_a_thread(run) == ["at once", "before the commit", "after the commit"]


def test_a_thread_that_was_given_a_connection_waits_for_its_commit() -> None:
    """Django's live server shares the connection of a test with its threads."""
    given = connections["default"]
    given.ensure_connection()
    given.inc_thread_sharing()

    def run() -> list[str]:
        order: list[str] = []
        connections["default"] = given
        with transaction.atomic():
            after_commit(lambda _: order.append("after the commit"), database=None)
            order.append("before the commit")
        return order

    try:
        assert in_a_thread(run) == ["before the commit", "after the commit"]
    finally:
        given.dec_thread_sharing()


def test_a_connection_that_was_thrown_away_holds_nothing_back() -> None:
    def run() -> list[str]:
        order: list[str] = []
        block = transaction.atomic()
        block.__enter__()
        thrown_away = connections["default"]
        del connections["default"]
        after_commit(lambda _: order.append("at once"), database=None)
        close(thrown_away)
        return order

    assert in_a_thread(run) == ["at once"]


def test_connections_by_which_databases_are_made_and_dropped_are_none_of_ours() -> None:
    open_connections.adopt()
    connection_created.send(BaseDatabaseWrapper, connection=connections["default"].copy(NO_DB_ALIAS))
