"""
Events that Kafka does not confirm are written into the right outbox, unless the database refuses them for too long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer
from time import monotonic, sleep

import pytest
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka import create_producer
from event_bus_kafka.assembly.sending import process_clients, spill
from event_bus_kafka.kafka.producer import reach
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.producing import spill_buffer, spill_writer
from event_bus_kafka.producing.clients import ProcessClients
from event_bus_kafka.producing.spill import Spill
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import (
    ConnectionChanged,
    EventSpilled,
    EventUndelivered,
    RecordDelivered,
    SpillDelayed,
)
from tests.services.bus import SandboxBus
from tests.support.direct import AWAY, encoded
from tests.support.outbox_service import until
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched


@pytest.fixture
def default(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """Return the file of the default database."""
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default") as file:
        yield file


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def clients_of(sandbox: Sandbox, **changes: object) -> ProcessClients:
    with override_settings(**SandboxBus(sandbox).settings("t") | {"EVENT_BUS_KAFKA_POLL_INTERVAL_SEC": 0.01} | changes):
        return process_clients()


def end(clients: ProcessClients) -> None:
    clients.retire()
    clients.leave(60)
    clients.registry.close()


def test_events_for_a_database_without_outbox_are_in_the_default_database_when_the_spill_has_finished(
    default: Path, tmp_path: Path
) -> None:
    own = Spill(Outbox(notify=lambda: False))
    with on_sqlite(tmp_path, "other", migrated=False) as other, locked(other) as first, locked(default) as second:
        own.spill([encoded("t")], RuntimeError("away"), database="other")
        for seconds, lock in (0.2, first), (1.0, second):
            Timer(seconds, lock.execute, ["ROLLBACK"]).start()
        assert own.finish(60) == 0
    assert OutboxRecord.objects.count() == 1


def test_a_producer_shuts_down_only_after_spilled_events_were_stored(default: Path, sandbox: Sandbox) -> None:
    settings = SandboxBus(sandbox).settings("t", EVENT_BUS_KAFKA_SHUTDOWN_SPILL=60)
    with override_settings(**settings), locked(default) as lock, watched(EventSpilled) as seen:
        producer = create_producer()
        producer.spill.spill([encoded("t")], RuntimeError("away"))
        Timer(1.0, lock.execute, ["ROLLBACK"]).start()
        producer.prepare_for_shutdown()
        assert len(seen) == 1


class Apart:
    """A router that forbids the outbox in the default database."""

    def db_for_write(self, *_: object, **__: object) -> str:
        return "other"

    def allow_migrate(self, db: str, *_: object, **__: object) -> bool:
        return db == "other"


def test_events_are_spilled_into_the_database_of_the_router_if_the_router_forbids_the_given_database(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """The default database may still contain the tables from a time when the service had no routers."""
    own = Spill(Outbox(notify=lambda: False))
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"), on_sqlite(tmp_path, "other"):
        with override_settings(DATABASE_ROUTERS=[f"{__name__}.Apart"]):
            own.spill([encoded("t")], RuntimeError("away"), database="default")
            assert own.finish(60) == 0
        assert OutboxRecord.objects.using("other").count() == 1


@contextmanager
def locked(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield database


def test_an_event_is_spilled_into_the_given_database_if_its_delivery_failed(
    default: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    away = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": AWAY, "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 1}
    with on_sqlite(tmp_path, "other"), watched(EventSpilled, EventUndelivered) as seen:
        clients = clients_of(sandbox, **away)
        clients.produce(encoded("t"), "other", monotonic() + 60)
        until(lambda: seen)
        end(clients)
        assert OutboxRecord.objects.using("other").count() == 1
    assert [event.database for event in seen] == ["other"]


def test_a_spilled_record_is_not_sent_after_the_broker_returns(default: Path, own_sandbox: Sandbox) -> None:
    clients = clients_of(own_sandbox)
    with own_sandbox.broker_down():
        clients.produce(encoded("t"), None, monotonic() + 60)
        clients.give_up()
    clients.producer.flush(60)
    assert len(clients.producer) == 0
    assert spill.finish(60) == 0
    end(clients)
    assert OutboxRecord.objects.count() == 1
    assert own_sandbox.records("t", 1, seconds=1) == []


def test_kafka_is_reported_as_reachable_again_when_a_record_is_confirmed(sandbox: Sandbox) -> None:
    clients = clients_of(sandbox)
    clients.is_away = reach.is_lost = True
    with watched(RecordDelivered, ConnectionChanged) as seen:
        clients.produce(encoded("t"), None, monotonic() + 60)
        until(lambda: len(seen) == 2)
    end(clients)
    assert not clients.is_away
    assert [type(event) for event in seen] == [ConnectionChanged, RecordDelivered]


def test_no_event_is_lost_while_the_database_refuses_all_rows(default: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_writer, "_PATIENCE", 0.0)
    own, table = Spill(Outbox(notify=lambda: False)), OutboxRecord._meta.db_table
    with closing(sqlite3.connect(default, isolation_level=None)) as database:
        database.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
        with watched(SpillDelayed, EventUndelivered, EventSpilled) as seen:
            own.spill([encoded("t")], RuntimeError("away"))
            until(lambda: len(seen) == 3)
            database.execute("DROP TRIGGER refuse")
            assert own.finish(60) == 0
    assert {type(event) for event in seen[:3]} == {SpillDelayed}
    assert type(seen[-1]) is EventSpilled


def test_only_events_that_the_database_refuses_are_lost_after_a_time_limit(
    default: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, table = Spill(Outbox(notify=lambda: False)), OutboxRecord._meta.db_table
    monkeypatch.setattr(spill_buffer, "_LONGEST_PAUSE", 0.1)
    events = [encoded("bad" if number in (0, 7, 19) else "t") for number in range(20)]
    with closing(sqlite3.connect(default, isolation_level=None)) as database:
        refusal = f"CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN NEW.topic = 'bad' "
        database.execute(refusal + "BEGIN SELECT RAISE(ABORT, 'no'); END")
        with watched(EventUndelivered, EventSpilled) as seen:
            own.spill(events, RuntimeError("away"))
            until(lambda: len(seen) == 17)
            assert [event.event_id for event in seen] == [one.event_id for one in events if one.names["topic"] == "t"]
            monkeypatch.setattr(spill_writer, "_PATIENCE", 0.0)
            until(
                lambda: sum(isinstance(event, EventUndelivered) for event in seen) == 3,
                step=lambda: spill_one_more(own),
            )
            assert own.finish(60) == 0
    lost = {event.event_id for event in seen if isinstance(event, EventUndelivered)}
    assert lost == {one.event_id for one in events if one.names["topic"] == "bad"}


def spill_one_more(own: Spill) -> None:
    own.spill([encoded("t")], RuntimeError("away"))
    sleep(0.05)


def test_events_that_the_database_refused_are_written_after_its_repair(
    default: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, table = Spill(Outbox(notify=lambda: False)), OutboxRecord._meta.db_table
    monkeypatch.setattr(spill_writer, "_PATIENCE", 0.0)
    events = [encoded("t") for _ in range(100)]
    with closing(sqlite3.connect(default, isolation_level=None)) as database:
        database.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
        with watched(SpillDelayed) as seen:
            own.spill(events, RuntimeError("away"))
            until(lambda: len(seen) > 2)
            database.execute("DROP TRIGGER refuse")
            assert own.finish(60) == 0
    assert OutboxRecord.objects.count() == 100
