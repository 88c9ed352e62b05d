"""Workers and relays say in the database that they live, by one statement each time."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

import attrs
import pytest
from django.core.management import call_command
from django.db import connections
from django.db.models import F

from event_bus_kafka.housekeeping.heartbeats import Heartbeats, purge
from event_bus_kafka.models import Heartbeat
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.telemetry.state import Running
from tests.support.databases import Database, on_mysql_too
from tests.support.statements import asked
from tests.support.states import RelayOf, consumer_state

pytestmark = [pytest.mark.real, on_mysql_too]


@pytest.fixture(autouse=True)
def connected(database: Database) -> Iterator[None]:
    with database.connected("default"):
        yield


@pytest.fixture
def running() -> Running:
    return Running()


def beats_of(running: Running, totals: dict[str, int] | None = None, period: float = 10.0) -> Heartbeats:
    counted = {} if totals is None else totals
    return Heartbeats(running, lambda: dict(counted), period=period, service="credentials", version="0.1.0")


def later(milliseconds: int) -> None:
    """Let it be later, as far as rows tell."""
    Heartbeat.objects.update(beat_at=F("beat_at") - milliseconds, started_at=F("started_at") - milliseconds)


def test_a_beat_is_one_statement_per_worker_and_relay(running: Running) -> None:
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
    assert statements == ["INSERT", "INSERT"], "the end of each, told once"
    assert Heartbeat.objects.count() == 2


def test_a_row_says_who_runs_where_and_how(running: Running) -> None:
    totals = {"received": 100}
    beats = beats_of(running, totals)
    relay = RelayOf()
    with running.consumer(consumer_state), running.relay(relay):
        beats.beat()
        totals |= {"received": 190, "relayed": 1}
        beats.beat()
        found = {run.kind: run for run in workers()}
    worker = found["consumer"]
    assert (worker.group, list(worker.topics), worker.service) == ("mail", ["prod-certificates"], "credentials")
    assert (worker.liveness, worker.version) == ("alive", "0.1.0")
    rates = worker.state.pop("rates")
    assert rates.keys() == {"received", "retried", "done", "dead-lettered", "skipped"}
    assert rates["received"] > 0
    assert rates["done"] == 0
    assert worker.state == _as_json(attrs.asdict(consumer_state()))
    assert found["relay"].state["depth"] == {"prod-certificates": 3}
    assert found["relay"].state["rates"]["relayed"] > 0
    assert found["relay"].group == ""


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_as_json(one) for one in value]
    return {name: _as_json(one) for name, one in value.items()} if isinstance(value, dict) else value


def test_times_are_those_of_the_databases_clock(running: Running) -> None:
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


@pytest.mark.parametrize(
    ("period", "silence", "liveness"),
    [(1, 59_000, "alive"), (1, 61_000, "dead"), (20, 110_000, "alive"), (20, 121_000, "dead")],
)
def test_who_is_silent_for_six_beats_and_a_minute_is_dead(
    running: Running, period: float, silence: int, liveness: str
) -> None:
    with running.consumer(consumer_state):
        beats_of(running, period=period).beat()
    later(silence)
    assert [run.liveness for run in workers()] == [liveness]


def test_who_ends_cleanly_is_stopped_however_long_that_is_ago(running: Running) -> None:
    beats = beats_of(running)
    with running.consumer(consumer_state):
        beats.beat()
        beats.stop()
        beats.beat()
        assert [run.liveness for run in workers()] == ["stopped"]
    with running.consumer(lambda: consumer_state(group="next")):
        beats.beat()
        later(600_000)
        assert {run.group: run.liveness for run in workers()} == {"mail": "stopped", "next": "dead"}


def test_rows_are_deleted_a_day_after_the_last_beat(running: Running) -> None:
    beats = beats_of(running)
    with running.consumer(consumer_state):
        beats.beat()
        later(86_390_000)
        assert sum(purge()) == 0
        later(20_000)
        with running.relay(RelayOf()):
            beats_of(running).beat()
            assert sum(purge()) == 1
        assert Heartbeat.objects.count() == 2
        beats.beat()
        assert Heartbeat.objects.count() == 3, "who was taken for dead, and is not, is there again"


def test_a_relay_that_has_not_looked_yet_lives_too(running: Running) -> None:
    relay = RelayOf()
    relay.last = None
    with running.relay(relay):
        beats_of(running).beat()
    (run,) = workers()
    assert (run.kind, run.state) == ("relay", {"rates": {"relayed": 0.0, "parked": 0.0}})


def test_tables_that_are_not_migrated_get_nothing_until_they_are(running: Running) -> None:
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


def test_a_beat_is_there_at_once_where_settings_begin_transactions(running: Running, database: Database) -> None:
    entry = database.entry | {"AUTOCOMMIT": False}
    manual = attrs.evolve(database, entry=entry)
    with manual.connected("default"), running.consumer(consumer_state):
        beats_of(running).beat()
        with database.connected("beside"):
            assert Heartbeat.objects.using("beside").count() == 1
