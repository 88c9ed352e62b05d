"""Workers and relays write heartbeat rows. A process counts as alive for a limited time after its last heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from django.db.models import F
from pytest_django import DjangoDbBlocker

from event_bus_kafka.housekeeping.heartbeats import purge
from event_bus_kafka.models import Heartbeat
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.telemetry.state import Running
from tests.support.sqlite import on_sqlite
from tests.support.states import RelayOf, beats_of, consumer_state


@pytest.fixture(autouse=True)
def on_file(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        yield


@pytest.fixture
def running() -> Running:
    return Running()


def later(milliseconds: int) -> None:
    """Move the times of all rows ``milliseconds`` into the past."""
    Heartbeat.objects.update(beat_at=F("beat_at") - milliseconds, started_at=F("started_at") - milliseconds)


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_as_json(one) for one in value]
    return {name: _as_json(one) for name, one in value.items()} if isinstance(value, dict) else value


def test_a_heartbeat_row_contains_the_group_and_version_and_state_and_rates_of_a_process(running: Running) -> None:
    totals = {"received": 100}
    beats = beats_of(running, totals)
    relay = RelayOf()
    running.health_port = 8080
    with running.consumer(consumer_state), running.relay(relay):
        beats.beat()
        totals |= {"received": 190, "relayed": 1}
        beats.beat()
        found = {run.kind: run for run in workers()}
    worker = found["consumer"]
    assert (worker.group, list(worker.topics), worker.service) == ("mail", ["prod-certificates"], "credentials")
    assert (worker.liveness, worker.version) == ("alive", "0.1.0")
    rates = worker.state.pop("rates")
    assert worker.state.pop("health_port") == found["relay"].state["health_port"] == 8080
    assert rates.keys() == {"received", "retried", "done", "dead-lettered", "skipped"}
    assert rates["received"] > 0
    assert rates["done"] == 0
    assert worker.state == _as_json(attrs.asdict(consumer_state()))
    assert found["relay"].state["depth"] == {"prod-certificates": 3}
    assert found["relay"].state["rates"]["relayed"] > 0
    assert found["relay"].group == ""


@pytest.mark.parametrize(
    ("period", "silence", "liveness"),
    [(1, 50_000, "alive"), (1, 61_000, "dead"), (20, 100_000, "alive"), (20, 121_000, "dead")],
)
def test_a_process_counts_as_dead_after_a_silence_of_six_periods_or_a_minute_whichever_is_longer(
    running: Running, period: float, silence: int, liveness: str
) -> None:
    with running.consumer(consumer_state):
        beats_of(running, period=period).beat()
    later(silence)
    assert [run.liveness for run in workers()] == [liveness]


def test_a_process_that_ended_cleanly_is_reported_as_stopped_and_never_as_dead(running: Running) -> None:
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


def test_heartbeat_rows_are_deleted_a_day_after_the_last_beat(running: Running) -> None:
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
        assert Heartbeat.objects.count() == 3, "a process that counted as dead writes its row again"


def test_a_relay_writes_a_heartbeat_even_before_it_has_read_its_outbox(running: Running) -> None:
    relay = RelayOf()
    relay.last = None
    with running.relay(relay):
        beats_of(running).beat()
    (run,) = workers()
    rates = {"relayed": 0.0, "parked": 0.0}
    assert (run.kind, run.group) == ("relay", "")
    known = {"database": "default", "obstacles": [], "is_alive": True}
    assert run.state == known | {"rates": rates, "health_port": None}
