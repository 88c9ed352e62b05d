"""Waiting rows and pauses survive the migrations of their tables. Django's checks find no fault in the tables."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import perf_counter, sleep
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings

from event_bus_kafka.models import OutboxRecord, PausedReceiver
from event_bus_kafka.models.presence import look_again
from tests.support.databases import Database, on_mysql_too
from tests.support.scale import scaled

pytestmark = pytest.mark.real


@on_mysql_too
def test_the_migration_sets_the_size_of_each_waiting_row(database: Database) -> None:
    with database.connected("upgraded") as connection:
        call_command("migrate", "event_bus_kafka", "0005", database="upgraded", verbosity=0)
        columns = ", ".join(
            map(connection.ops.quote_name, ("shard", "topic", "key", "headers", "schema_id", "created"))
        )
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO event_bus_kafka_outboxrecord ({columns}) VALUES (1, 't', '12', '345', 1, 0)")
        call_command("migrate", "event_bus_kafka", database="upgraded", verbosity=0)
        assert [row.size for row in OutboxRecord.objects.using("upgraded")] == [5]


@on_mysql_too
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_s10_writers_continue_while_a_large_outbox_is_indexed(database: Database) -> None:
    count = scaled(2_000, long=1_000_000)
    with database.connected("upgraded") as connection:
        call_command("migrate", "event_bus_kafka", "0007", database="upgraded", verbosity=0)
        columns = ", ".join(
            map(connection.ops.quote_name, ("shard", "topic", "key", "headers", "schema_id", "created", "size"))
        )
        into = f"INSERT INTO event_bus_kafka_outboxrecord ({columns})"
        one = f"{into} VALUES (1, 'topic', '12', '345', 1, 0, 5)"
        with connection.cursor() as cursor:
            cursor.execute(one)
            rows = 1
            while rows < count:
                more = min(rows, count - rows)
                cursor.execute(f"{into} SELECT {columns} FROM event_bus_kafka_outboxrecord LIMIT {more}")
                rows += more
        with ThreadPoolExecutor() as threads:
            done = threading.Event()
            writers = [threads.submit(write, connection, one, done) for _ in range(4)]
            began = perf_counter()
            call_command("migrate", "event_bus_kafka", "0008", database="upgraded", verbosity=0)
            seconds = perf_counter() - began
            done.set()
        written = [seconds for writer in writers for seconds in writer.result()]
        print(f"{database.vendor}: {seconds:.1f} s, {len(written)} rows written, each within {max(written):.2f} s")
        assert OutboxRecord.objects.using("upgraded").count() == count + len(written)


def write(connection: BaseDatabaseWrapper, statement: str, done: threading.Event) -> list[float]:
    """Write rows until the migration is done, each in a separate transaction. Return how many seconds each row took."""
    own, took = connection.copy(), []
    try:
        while not done.is_set():
            began = perf_counter()
            with own.cursor() as cursor:
                cursor.execute(statement)
            took.append(perf_counter() - began)
            sleep(0.005)
        return took
    finally:
        own.close()


@on_mysql_too
def test_a_receiver_has_at_most_one_pause_during_an_upgrade_and_during_its_reversal(database: Database) -> None:
    """While the migration runs, both the old version and the new version of a command may pause a receiver."""
    with database.connected("upgraded") as connection:
        pauses = PausedReceiver.objects.using("upgraded")
        pauses.create(receiver="mail", paused_at=datetime.now(UTC))
        for version in ("0006", "0007"):
            watch = Watch(connection)
            with connection.execute_wrapper(watch):
                call_command("migrate", "event_bus_kafka", version, database="upgraded", verbosity=0)
            look_again(connection)
            assert (min(watch.found), max(watch.found), watch.found[-1]) == (1, 2, 1), watch.found
            with pytest.raises(IntegrityError), transaction.atomic(using="upgraded"):
                pauses.create(receiver="mail", paused_at=datetime.now(UTC))
            pauses.pause("mail", at=datetime.now(UTC))
            assert pauses.count() == 1


class Watch:
    """
    Counts the constraints that forbid two pauses of the same receiver, after each statement that changes the table of
    pauses.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.found: list[int] = []
        self._connection = connection

    def __call__(self, execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if PausedReceiver._meta.db_table in sql and sql.startswith(("ALTER", "CREATE", "DROP")):
            with self._connection.cursor() as cursor:
                found = self._connection.introspection.get_constraints(cursor, PausedReceiver._meta.db_table)
            self.found.append(sum(one["unique"] and one["columns"] == ["receiver"] for one in found.values()))
        return result


@on_mysql_too
@override_settings(
    EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9", EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL="http://[::1]:9"
)
def test_djangos_system_checks_find_no_problem_on_a_migrated_database(database: Database) -> None:
    with database.connected("default"):
        assert run_checks(databases=["default"]) == []
