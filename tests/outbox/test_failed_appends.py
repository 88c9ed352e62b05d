"""
An append to the outbox fails, in most tests inside a transaction of the caller. The tests show which rows are
committed, whether the event is sent, and which exceptions the caller gets.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import Error, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.errors import AppendFailed
from event_bus_kafka.models import OutboxRecord, PausedReceiver, WriterSchema
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, EventAppended, EventRejected
from tests.services.bus import RealBus
from tests.services.mariadb import MariaDB
from tests.services.mysql import MySQL
from tests.support.databases import Database, connected, database_on, end_session, on_mysql_too
from tests.support.direct import spilled
from tests.support.outbox_service import Service, until
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched

pytestmark = pytest.mark.real


def large(_: int) -> str:
    return "N" * 900_000


def is_there(name: str) -> bool:
    return ContentType.objects.filter(app_label=name).exists()


def write(name: str) -> None:
    ContentType.objects.create(app_label=name, model="row")


@contextmanager
def locked(database: Database, table: str) -> Iterator[None]:
    """
    While the block runs, lock a table against writes. Reads remain possible. A write fails after it has waited: half a
    second on PostgreSQL, one second on MariaDB and MySQL.
    """
    postgresql = database.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 500" if postgresql else "SET lock_wait_timeout = 1")
    other = connections["default"].copy()
    with other.cursor() as cursor:
        if postgresql:
            cursor.execute(f"BEGIN; LOCK TABLE {table} IN SHARE MODE")
        else:
            cursor.execute(f"LOCK TABLES {table} READ")
    try:
        yield
    finally:
        other.close()


@on_mysql_too
def test_s2_an_event_is_sent_and_the_transaction_commits_although_the_schema_cannot_be_written(
    service: Service, database: Database
) -> None:
    with locked(database, WriterSchema._meta.db_table), transaction.atomic():
        write("kept")
        sent = service.emit()
        write("kept too")
    assert is_there("kept")
    assert is_there("kept too")
    assert service.bus.event_ids(service.topic, 1) == [sent]


@on_mysql_too
def test_s2_the_block_raises_after_a_failed_insert_only_if_the_transaction_can_no_longer_commit(
    service: Service, database: Database
) -> None:
    service.emit()
    mails: list[str] = []
    with watched(AppendToOutboxFailed) as seen, locked(database, OutboxRecord._meta.db_table):
        try:
            with transaction.atomic():
                transaction.on_commit(lambda: mails.append("committed"))
                write("kept")
                sent = [service.emit(), service.emit()]
            raised = False
        except AppendFailed:
            raised = True
    assert is_there("kept") is not raised
    assert raised is (database.vendor == "postgresql")
    assert bool(mails) is not raised
    assert [(event.event_id, event.doomed) for event in seen] == [(one, raised) for one in sent]
    if not raised:
        assert service.bus.event_ids(service.topic, 2) == sent
    write("afterwards")
    assert is_there("afterwards")


@on_mysql_too
def test_s2_a_failed_append_in_a_savepoint_rolls_back_at_most_the_savepoint(
    service: Service, database: Database
) -> None:
    """The inner block may raise an exception. The caller can then decide how to continue."""
    service.emit()
    heard: list[Exception] = []
    with locked(database, OutboxRecord._meta.db_table), transaction.atomic():
        write("outer")
        try:
            with transaction.atomic():
                write("inner")
                service.emit()
        except Exception as error:  # noqa: BLE001 each driver has its own
            heard.append(error)
        write("outer too")
    assert is_there("outer")
    assert is_there("outer too")
    assert is_there("inner") is not bool(heard)


on_innodb = pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)


@on_innodb
def test_s2_the_atomic_block_raises_after_a_deadlock_during_an_append(service: Service) -> None:
    """No row of the transaction is committed, even if the caller catches exceptions. The connection remains usable."""
    service.emit()
    refused: list[Exception] = []
    with holding_the_end_of_the_outbox() as want, watched(AppendToOutboxFailed) as seen:
        with pytest.raises(AppendFailed), transaction.atomic():
            write("wanted")
            want()
            service.emit()
            service.emit()
            for block in (nullcontext(), transaction.atomic()):
                try:
                    with block:
                        write("after")
                except TransactionManagementError as error:
                    refused.append(error)
            with transaction.atomic():
                pass
    assert len(refused) == 2
    assert [event.doomed for event in seen] == [True, True]
    write("afterwards")
    assert [is_there(name) for name in ("wanted", "after", "afterwards")] == [False, False, True]
    assert service.waiting == 1


@on_innodb
def test_s2_the_outer_block_raises_after_a_deadlock_during_an_append_in_a_savepoint(
    service: Service,
) -> None:
    """A deadlock makes the server roll back the whole transaction, including the savepoint."""
    service.emit()
    with holding_the_end_of_the_outbox() as want, watched(AppendToOutboxFailed) as seen:
        with pytest.raises(AppendFailed), transaction.atomic():
            write("wanted")
            with transaction.atomic():
                want()
                service.emit_many(4, name=large)
    assert [event.doomed for event in seen] == [True] * 4
    assert not is_there("wanted")
    assert service.waiting == 1


@on_innodb
def test_s2_with_autocommit_off_the_connection_refuses_queries_after_a_deadlock_until_a_rollback(
    service: Service,
) -> None:
    service.emit()
    with holding_the_end_of_the_outbox() as want, watched(EventRejected) as rejected:
        connection.set_autocommit(False)
        write("wanted")
        want()
        service.emit()
        assert rejected == []  # its failure was reported already, and it cannot be sent otherwise
        with pytest.raises(TransactionManagementError):
            write("after")
        connection.rollback()
        write("afterwards")
        connection.commit()
        connection.set_autocommit(True)
    assert [is_there(name) for name in ("wanted", "after", "afterwards")] == [False, False, True]


@on_innodb
def test_s2_with_autocommit_off_the_commit_raises_after_a_deadlock(service: Service) -> None:
    """
    After the deadlock, a cursor of the database driver writes another row. This row must not be committed, because the
    earlier rows of the transaction are lost.
    """
    service.emit()
    with holding_the_end_of_the_outbox() as want:
        connection.set_autocommit(False)
        write("wanted")
        want()
        service.emit()
        raw = connection.connection.cursor()
        raw.execute(f"INSERT INTO {PausedReceiver._meta.db_table} (receiver, paused_at) VALUES ('half', NOW())")
        with pytest.raises(AppendFailed):
            connection.commit()
        connection.set_autocommit(True)
    assert not is_there("wanted")
    assert not PausedReceiver.objects.filter(receiver="half").exists()


@on_innodb
def test_no_error_is_raised_after_a_deadlock_if_the_block_is_marked_for_rollback(service: Service) -> None:
    """
    Django REST framework marks the block for rollback when it refuses a request. In this case the caller already knows
    that its rows are rolled back.
    """
    service.emit()
    with holding_the_end_of_the_outbox() as want, transaction.atomic():
        write("wanted")
        want()
        service.emit()
        transaction.set_rollback(True)
    assert not is_there("wanted")
    write("afterwards")
    assert is_there("afterwards")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("inner", [False, True], ids=["the transaction", "a savepoint"])
def test_s2_a_rolled_back_block_raises_the_error_append_failed_even_if_the_caller_caught_query_errors(
    service: Service, database: Database, inner: bool
) -> None:
    """
    When a query of the caller fails, Django marks the block for rollback. Without the exception AppendFailed, the block
    would then roll back silently.
    """
    service.emit()
    mails: list[str] = []
    with locked(database, OutboxRecord._meta.db_table), transaction.atomic() if inner else nullcontext():
        write("outer")
        with pytest.raises(AppendFailed), transaction.atomic():
            transaction.on_commit(lambda: mails.append("committed"))
            write("gone")
            service.emit()
            with suppress(Error):
                write("refused")
        assert not is_there("gone")
        write("afterwards")
    assert is_there("outer")
    assert is_there("afterwards")
    assert mails == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_s2_the_block_raises_after_a_failed_append_on_a_pooled_connection(service: Service, database: Database) -> None:
    service.emit()
    used = connections["default"]
    with locked(database, OutboxRecord._meta.db_table), pytest.raises(AppendFailed), transaction.atomic():
        write("gone")
        used.connection, pooled = Pooled(used.connection), used.connection
        try:
            service.emit()
        finally:
            used.connection = pooled
    assert not is_there("gone")


class Pooled:
    """
    A driver's connection in the wrapper of a connection pool. The wrapper has its own ``info``, so the connection's
    ``info`` is hidden.
    """

    def __init__(self, pooled: Any) -> None:
        self.pooled = pooled
        self.info: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pooled, name)


@on_mysql_too
@pytest.mark.parametrize("table", [WriterSchema, OutboxRecord])
def test_s2_the_block_raises_if_the_session_ends_during_an_append(service: Service, table: Any) -> None:
    """
    When the session ends, the outbox cannot roll back to its savepoint. If the package raised no exception, Django
    would roll back the transaction silently.
    """

    def end_the_session(execute: Any, sql: str, *arguments: Any) -> Any:
        if f"INTO {connection.ops.quote_name(table._meta.db_table)}" in sql:
            end_session(connection)
        return execute(sql, *arguments)

    if table is OutboxRecord:
        service.emit()
    with pytest.raises((Error, AppendFailed)), transaction.atomic():
        write("gone")
        with connection.execute_wrapper(end_the_session):
            service.emit()
    assert not is_there("gone")
    assert service.waiting == (table is OutboxRecord)


@on_mysql_too
@pytest.mark.parametrize("asks", [False, True])
def test_s2_the_block_raises_if_the_session_ends_during_an_append_in_a_savepoint(service: Service, asks: bool) -> None:
    """
    When the session ends, the outbox cannot roll back to the savepoint. If the package raised no exception, Django
    would roll back the whole transaction silently.
    """
    service.emit()

    def end_the_session(execute: Any, sql: str, *arguments: Any) -> Any:
        if "INTO" in sql:
            end_session(connection)
        return execute(sql, *arguments)

    with pytest.raises(AppendFailed), transaction.atomic():
        write("gone")
        with suppress(KeyError), transaction.atomic():
            with connection.execute_wrapper(end_the_session):
                service.emit()
            if not asks:
                raise KeyError
            transaction.set_rollback(True)
    assert not is_there("gone")
    assert service.waiting == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_s4_the_block_raises_even_if_an_execute_wrapper_replaces_the_database_error(
    service: Service, database: Database
) -> None:

    def guard(execute: Any, sql: str, *arguments: Any) -> Any:
        try:
            return execute(sql, *arguments)
        except Error as error:
            raise RuntimeError("a query failed") from error

    service.emit()
    with locked(database, OutboxRecord._meta.db_table), pytest.raises(AppendFailed), transaction.atomic():
        write("gone")
        with connection.execute_wrapper(guard):
            service.emit()
    assert not is_there("gone")


@on_mysql_too
def test_s2_with_autocommit_off_the_commit_succeeds_although_the_row_of_an_event_was_refused(
    service: Service, database: Database
) -> None:
    """Only the row of the event is missing, so the caller may commit the other rows."""
    service.emit()
    with locked(database, OutboxRecord._meta.db_table):
        connection.set_autocommit(False)
        write("kept")
        service.emit()
        connection.commit()
        connection.set_autocommit(True)
    assert is_there("kept")


@pytest.mark.parametrize("kind", [MariaDB, MySQL])
def test_s3_the_block_raises_after_a_failed_append_with_innodb_rollback_on_timeout(
    bus: RealBus, topic: str, django_db_blocker: DjangoDbBlocker, kind: type[MariaDB]
) -> None:
    with kind("--innodb-rollback-on-timeout=ON") as server, database_on(server, "t", django_db_blocker) as database:
        entry = database.settings()["DATABASES"]["default"]
        with database.connected("default"), Service(bus=bus, topic=topic, entry=entry).configured() as service:
            service.emit()
            with connection.cursor() as cursor:
                cursor.execute("SET innodb_lock_wait_timeout = 1")
            with holding_the_end_of_the_outbox(), pytest.raises(AppendFailed), transaction.atomic():
                write("first")
                service.emit()
            assert not is_there("first")
            assert service.waiting == 1


@pytest.mark.parametrize(("rolls_back", "swallows"), [(False, False), (True, False), (True, True)])
def test_s2_on_sqlite_the_block_raises_after_a_refused_row_only_if_the_block_was_rolled_back(
    sqlite_service: Service, rolls_back: bool, swallows: bool
) -> None:
    service = sqlite_service
    service.emit()
    refuse_from(1, "ROLLBACK" if rolls_back else "ABORT")
    with pytest.raises(AppendFailed) if rolls_back else nullcontext(), transaction.atomic():
        write("first")
        sent = service.emit()
        with suppress(TransactionManagementError) if swallows else nullcontext():
            if not rolls_back or swallows:
                write("second")
    assert [is_there(name) for name in ("first", "second")] == [not rolls_back] * 2
    assert service.waiting == 1
    assert service.bus.event_ids(service.topic, 0 if rolls_back else 1) == ([] if rolls_back else [sent])


def test_s1_an_event_in_two_transactions_is_sent_although_an_on_commit_hook_fails(
    service_anywhere: Service, tmp_path: Path
) -> None:
    service = service_anywhere
    ran: list[str] = []

    def fail() -> None:
        raise OSError("away")

    with override_settings(EVENT_BUS_PRODUCER_MODE="on-commit"), on_sqlite(tmp_path, "second"):
        with pytest.raises(OSError, match="away"), transaction.atomic():
            transaction.on_commit(fail)
            transaction.on_commit(lambda: ran.append("a later hook"))
            with transaction.atomic(using="second"):
                sent = service.emit()
    assert service.bus.event_ids(service.topic, 1) == [sent]
    assert ran == []


def test_s4_an_event_is_sent_after_the_commit_when_an_execute_wrapper_refuses_its_row(
    service_anywhere: Service,
) -> None:
    """
    The wrapper raises an exception at one of the queries that write the row. The earlier queries for the row are rolled
    back to a savepoint.
    """
    service = service_anywhere

    def guard(execute: Any, sql: str, *arguments: Any) -> Any:
        if f"INTO {connection.ops.quote_name(OutboxRecord._meta.db_table)}" in sql:
            raise LookupError("no queries of this table")
        return execute(sql, *arguments)

    with transaction.atomic(), connection.execute_wrapper(guard):
        write("kept")
        sent = service.emit()
    assert is_there("kept")
    assert service.waiting == 0
    assert service.bus.event_ids(service.topic, 1) == [sent]


def test_s4_an_event_of_async_code_is_appended_to_the_outbox(service_anywhere: Service) -> None:
    service = service_anywhere

    async def emit() -> str:
        return service.emit()

    with watched(EventAppended, EventRejected) as seen:
        sent = asyncio.run(emit())
        until(lambda: seen)
    assert [(type(event), event.event_id) for event in seen] == [(EventAppended, sent)]
    assert spilled() == [sent]


def test_an_event_of_async_code_is_sent_and_its_failed_append_is_reported_if_outbox_tables_are_missing(
    sqlite_service: Service,
) -> None:
    async def emit() -> str:
        return sqlite_service.emit()

    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {OutboxRecord._meta.db_table}")
    with watched(AppendToOutboxFailed) as failed:
        sent = asyncio.run(emit())
        assert sqlite_service.bus.event_ids(sqlite_service.topic, 1) == [sent]
    assert [(event.event_id, event.doomed) for event in failed] == [(sent, False)]


@pytest.mark.parametrize("way", ["db_for_write", "allow_migrate"])
def test_s4_no_event_is_lost_when_a_database_router_raises_an_exception(service_anywhere: Service, way: str) -> None:
    service = service_anywhere
    router = type("Router", (), {way: _no_request})()
    with override_settings(DATABASE_ROUTERS=[router]):
        with transaction.atomic():
            sent = service.emit()
    found = spilled() if way == "db_for_write" else service.bus.event_ids(service.topic, 1)
    assert found == [sent]


def _no_request(*_: Any, model: Any = None, model_name: str = "", **__: Any) -> None:
    if "outboxrecord" in (model_name, getattr(getattr(model, "_meta", None), "model_name", "")):
        raise LookupError("no request")


def test_s5_an_event_is_not_lost_when_a_read_only_session_rolls_back(service_anywhere: Service, tmp_path: Path) -> None:
    """
    The read-only session has an open transaction, alone or together with a writable session. An event is dropped only
    if the transaction of the writable session rolls back.
    """
    service = service_anywhere
    with connected(service.entry, "replica") as replica:
        _refuse_writing(replica)
        with suppress(KeyError), transaction.atomic(using="replica"):
            first = service.emit()
            raise KeyError
        with transaction.atomic(using="replica"), transaction.atomic():
            write("kept")
            second = service.emit()
        with suppress(KeyError), transaction.atomic(using="replica"), transaction.atomic():
            service.emit()
            raise KeyError
    assert is_there("kept")
    assert spilled() == [first, second]


def test_s5_an_event_is_not_lost_when_a_read_only_session_with_autocommit_off_rolls_back(
    service_anywhere: Service,
) -> None:
    service = service_anywhere
    with connected(service.entry, "replica") as replica:
        _refuse_writing(replica)
        transaction.set_autocommit(False, using="replica")
        ContentType.objects.using("replica").exists()
        sent = [service.emit()]
        with transaction.atomic():
            sent += [service.emit()]
        transaction.rollback(using="replica")
        transaction.set_autocommit(True, using="replica")
    assert spilled() == sent


def _refuse_writing(replica: BaseDatabaseWrapper) -> None:
    statements = {
        "sqlite": "PRAGMA query_only = ON",
        "postgresql": "SET default_transaction_read_only = on",
        "mysql": "SET SESSION TRANSACTION READ ONLY",
    }
    with replica.cursor() as cursor:
        cursor.execute(statements[replica.vendor])


def test_s6_an_event_is_not_stored_if_the_connection_of_its_transaction_was_closed(
    service_anywhere: Service,
) -> None:
    service = service_anywhere
    with watched(EventAppended) as seen:
        with transaction.atomic():
            write("gone")
            connection.close()
            service.emit()
        assert seen == []
        service.emit()
    assert len(seen) == 1
    assert service.waiting == 1


def test_s7_all_events_of_send_many_are_sent_directly_if_the_second_insert_fails(service_anywhere: Service) -> None:
    """
    The events of ``send_many`` need two INSERT statements, and the second fails. The rows of the first are rolled back,
    and all events are sent to Kafka directly after the commit.
    """
    service = service_anywhere
    service.emit()
    refuse_from(3)
    with transaction.atomic():
        write("kept")
        sent = service.emit_many(4, name=large)
    assert is_there("kept")
    assert service.waiting == 1
    assert service.bus.event_ids(service.topic, 4) == sent


def refuse_from(count: int, way: str = "ABORT") -> None:
    """
    Create a trigger that refuses further rows when the outbox has ``count`` rows. If ``way`` is ``ROLLBACK``, the
    trigger also rolls back the transaction on SQLite.
    """
    table = OutboxRecord._meta.db_table
    is_full = f"(SELECT COUNT(*) FROM {table}) >= {count}"
    before = f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW"
    statements = {
        "sqlite": [f"{before} WHEN {is_full} BEGIN SELECT RAISE({way}, 'full'); END"],
        "postgresql": [
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {is_full} THEN RAISE EXCEPTION 'full'; END IF; RETURN NEW; END $$",
            f"{before} EXECUTE FUNCTION refuse()",
        ],
        "mysql": [f"{before} IF {is_full} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'full'; END IF"],
    }
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)


@contextmanager
def holding_the_end_of_the_outbox() -> Iterator[Callable[[], None]]:
    """
    Lock the end of the outbox table in a large transaction of a second session. Yield a function that makes the second
    session wait for a lock of the caller. The caller's next append then causes a deadlock.
    """
    holder = connections["default"].copy()
    holder.inc_thread_sharing()
    cursor = holder.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute("BEGIN")
    pauses = ", ".join(f"('{number}', NOW())" for number in range(200))
    cursor.execute(f"INSERT INTO {PausedReceiver._meta.db_table} (receiver, paused_at) VALUES {pauses}")
    cursor.execute(f"SELECT id FROM {OutboxRecord._meta.db_table} FOR UPDATE")
    statement = "UPDATE django_content_type SET model = 'taken' WHERE app_label = 'wanted'"
    waiting = threading.Thread(target=cursor.execute, args=[statement])
    try:
        yield waiting.start
    finally:
        if waiting.ident:
            waiting.join(60)
        holder.rollback()
        holder.close()
