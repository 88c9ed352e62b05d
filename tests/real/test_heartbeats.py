"""Workers and relays write heartbeats. Each heartbeat costs one SQL statement."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

import attrs
import pytest
from django.core.management import call_command
from django.db import connections

from event_bus_kafka.housekeeping.heartbeats import purge
from event_bus_kafka.models import Heartbeat
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.telemetry.state import Running
from tests.support.databases import Database, on_mysql_too
from tests.support.statements import asked
from tests.support.states import RelayOf, beats_of, consumer_state

pytestmark = [pytest.mark.real, on_mysql_too]


@pytest.fixture(autouse=True)
def connected(database: Database) -> Iterator[None]:
    with database.connected("default"):
        yield


@pytest.fixture
def running() -> Running:
    return Running()


def test_each_heartbeat_of_a_worker_or_relay_costs_one_sql_statement(running: Running) -> None:
    beats = beats_of(running)
    beats.beat()
    with running.consumer(consumer_state), running.relay(RelayOf()):
        beats.beat()
        with asked() as statements:
            beats.beat()
        assert statements == ["INSERT", "INSERT"]
    with asked() as statements:
        beats.beat()
        beats.beat()
        beats.stop()
    assert statements == ["INSERT", "INSERT"], "one statement for the end of the worker, one for the end of the relay"
    assert Heartbeat.objects.count() == 2


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_as_json(one) for one in value]
    return {name: _as_json(one) for name, one in value.items()} if isinstance(value, dict) else value


def test_the_database_clock_sets_the_times_of_heartbeats(running: Running) -> None:
    with running.consumer(consumer_state):
        began = monotonic()
        beats_of(running).beat()
        (run,) = workers()
    row = Heartbeat.objects.get()
    assert 0 <= row.beat_at - row.started_at <= (monotonic() - began) * 1000 + 1
    assert run.silence <= monotonic() - began + 1
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) * 1000"
            if connections["default"].vendor == "postgresql"
            else "SELECT UNIX_TIMESTAMP(CURRENT_TIMESTAMP(3)) * 1000"
        )
        assert 0 <= float(cursor.fetchone()[0]) - row.beat_at < (monotonic() - began) * 1000 + 10


def test_heartbeats_are_written_only_after_the_migration_of_their_table(running: Running) -> None:
    call_command("migrate", "event_bus_kafka", "0009", verbosity=0)
    beats = beats_of(running)
    with running.consumer(consumer_state):
        beats.beat()
        beats.stop()
        assert beats.beat_every == 60
        assert sum(purge()) == 0
        call_command("migrate", "event_bus_kafka", verbosity=0)
        beats = beats_of(running)
        beats.beat()
        assert beats.beat_every == 10
        assert Heartbeat.objects.count() == 1


def test_a_heartbeat_is_committed_immediately_when_autocommit_is_off(running: Running, database: Database) -> None:
    entry = database.entry | {"AUTOCOMMIT": False}
    manual = attrs.evolve(database, entry=entry)
    with manual.connected("default"), running.consumer(consumer_state):
        beats_of(running).beat()
        with database.connected("beside"):
            assert Heartbeat.objects.using("beside").count() == 1
