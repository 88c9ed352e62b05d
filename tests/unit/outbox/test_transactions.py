"""An event waits for the commit of an open transaction, also in threads and on shared connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import TestCase

from event_bus_kafka.db_connections import open_connections
from event_bus_kafka.outbox.transactions import after_commit

pytestmark = pytest.mark.django_db(transaction=True)


def in_a_thread(run: Callable[[], list[str]]) -> list[str]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def close(connection: BaseDatabaseWrapper) -> None:
    """Close a connection to a database in memory. Django's method ``close`` would not close it."""
    connection.connection.close()


def test_an_event_waits_for_the_commit_even_if_an_earlier_event_was_sent_while_no_connection_was_open() -> None:
    def run() -> list[str]:
        order: list[str] = []
        after_commit(lambda _: order.append("at once"), database=None)
        with transaction.atomic():
            after_commit(lambda _: order.append("after the commit"), database=None)
            order.append("before the commit")
        close(connections["default"])
        return order

    assert in_a_thread(run) == ["at once", "before the commit", "after the commit"]


def test_an_event_waits_for_the_commit_in_a_thread_that_shares_a_connection() -> None:
    """For example, the threads of Django's live server use the connection of the test if the database is in memory."""
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


def test_a_transaction_on_a_discarded_connection_does_not_delay_events() -> None:
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


def test_a_transaction_is_noticed_even_if_an_event_loop_has_opened_another_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Django uses separate connections in an event loop, although the loop runs in the same thread."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

    async def look() -> BaseDatabaseWrapper:
        connections["default"].ensure_connection()
        return connections["default"]

    def run() -> list[str]:
        order: list[str] = []
        connections["default"].ensure_connection()
        of_the_loop = asyncio.run(look())
        with transaction.atomic():
            after_commit(lambda _: order.append("after the commit"), database=None)
            order.append("before the commit")
        close(connections["default"])
        close(of_the_loop)
        return order

    assert in_a_thread(run) == ["before the commit", "after the commit"]


def test_s1_events_are_sent_in_order_although_an_on_commit_hook_fails() -> None:
    order: list[str] = []
    with pytest.raises(OSError, match="away"), transaction.atomic():
        transaction.on_commit(lambda: order.append("earlier hook"))
        transaction.on_commit(fail)
        after_commit(lambda _: order.append("first"), database=None)
        transaction.on_commit(lambda: order.append("later hook"))
        with suppress(KeyError), transaction.atomic():
            after_commit(lambda _: order.append("rolled back"), database=None)
            raise KeyError
        after_commit(lambda _: order.append("second"), database=None)
    assert order == ["first", "second", "earlier hook"]


def test_an_on_commit_hook_inserted_at_the_front_does_not_change_the_order_of_events() -> None:
    order: list[str] = []
    theirs: Any = (set(), lambda: order.append("theirs"), False)
    with transaction.atomic():
        after_commit(lambda _: order.append("first"), database=None)
        connection.run_on_commit.insert(0, theirs)
        transaction.on_commit(lambda: order.append("last"))
        after_commit(lambda _: order.append("second"), database=None)
    assert order == ["theirs", "first", "second", "last"]


@pytest.mark.django_db(transaction=False)
def test_capture_on_commit_callbacks_sends_an_event_before_it_runs_a_later_hook() -> None:
    order: list[str] = []
    transaction.on_commit(lambda: order.append("older"))
    with TestCase.captureOnCommitCallbacks(execute=True) as captured:
        after_commit(lambda _: order.append("first"), database=None)
        transaction.on_commit(lambda: order.append("second"))
    assert order == ["first", "second"]
    assert len(captured) == 2


def test_an_event_is_sent_after_the_commit_although_another_database_has_a_broken_engine() -> None:
    order: list[str] = []
    connections.settings["broken"] = connections.settings["default"] | {"ENGINE": "no.such.engine"}
    try:
        with transaction.atomic():
            after_commit(lambda _: order.append("after the commit"), database=None)
    finally:
        del connections.settings["broken"]
    assert order == ["after the commit"]


def fail() -> None:
    raise OSError("away")


def test_opening_a_connection_without_a_database_name_raises_nothing() -> None:
    open_connections.adopt()
    connection_created.send(BaseDatabaseWrapper, connection=connections["default"].copy(NO_DB_ALIAS))
