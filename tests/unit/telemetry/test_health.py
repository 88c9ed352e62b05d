"""
The health of a worker says whether the worker is alive and ready. If the worker is not ready, the health names the
obstacles.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.health import Health, Obstacle
from event_bus_kafka.telemetry.logs import LoggingObserver
from tests.support.watching import watched


@pytest.fixture
def changes() -> Iterator[list[LifecycleEvent]]:
    with watched() as seen:
        yield seen


def test_each_change_of_readiness_or_of_obstacles_is_logged_once(
    changes: list[LifecycleEvent], caplog: pytest.LogCaptureFixture
) -> None:
    health = Health(Obstacle.NO_ASSIGNMENT)
    assert not health.is_ready
    for _ in range(3):
        health.end(Obstacle.NO_ASSIGNMENT)
    for _ in range(3):
        health.begin(Obstacle.CIRCUIT, "a.receiver")
        health.begin(Obstacle.KAFKA, "unauthenticated")
    health.end(Obstacle.KAFKA, "unauthenticated")
    health.end(Obstacle.CIRCUIT, "another.receiver")
    health.end(Obstacle.CIRCUIT, "a.receiver")
    assert health.is_ready
    caplog.clear()  # observers of other tests log as well
    with caplog.at_level(logging.INFO):
        for change in list(changes):
            LoggingObserver(audit=lambda: True)(change)
    assert [record.getMessage() for record in caplog.records] == [
        "Ready",
        "Not ready: circuit open: a.receiver",
        "Not ready: Kafka: unauthenticated; circuit open: a.receiver",
        "Not ready: circuit open: a.receiver",
        "Ready",
    ]


def test_replacing_obstacles_of_one_kind_keeps_obstacles_of_other_kinds() -> None:
    health = Health()
    health.begin(Obstacle.OUTAGE, "database")
    health.replace(Obstacle.FLOOD, ["t[0]", "t[1]"])
    health.replace(Obstacle.FLOOD, ["t[1]"])
    assert health.reasons == ("flood of dead letters: t[1]", "outage: database")


def test_a_worker_no_longer_counts_as_alive_if_it_stops_polling_for_too_long() -> None:
    now = 0.0
    health = Health(silent_after=5, clock=lambda: now)
    now = 5
    assert health.is_alive
    now = 5.1
    assert not health.is_alive
    health.beat()
    assert health.is_alive
