"""Whether a worker is alive and ready, and why not."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.health import Health, Trouble
from event_bus_kafka.telemetry.logs import LoggingObserver


@pytest.fixture
def changes() -> Iterator[list[LifecycleEvent]]:
    seen: list[LifecycleEvent] = []
    observer = seen.append
    observe(observer)
    yield seen
    unobserve(observer)


def test_each_change_is_told_once(changes: list[LifecycleEvent], caplog: pytest.LogCaptureFixture) -> None:
    health = Health(Trouble.NO_ASSIGNMENT)
    assert not health.is_ready
    for _ in range(3):
        health.end(Trouble.NO_ASSIGNMENT)
    for _ in range(3):
        health.begin(Trouble.CIRCUIT, "a.receiver")
        health.begin(Trouble.AUTHENTICATION)
    health.end(Trouble.AUTHENTICATION)
    health.end(Trouble.CIRCUIT, "another.receiver")
    health.end(Trouble.CIRCUIT, "a.receiver")
    assert health.is_ready
    caplog.clear()  # observers that other tests have left log as well
    with caplog.at_level(logging.INFO):
        for change in list(changes):
            LoggingObserver(audit=lambda: True)(change)
    assert [record.getMessage() for record in caplog.records] == [
        "Ready",
        "Not ready: circuit open: a.receiver",
        "Not ready: authentication lost; circuit open: a.receiver",
        "Not ready: circuit open: a.receiver",
        "Ready",
    ]


def test_a_kind_of_trouble_can_be_told_as_a_whole() -> None:
    health = Health()
    health.begin(Trouble.OUTAGE, "database")
    health.replace(Trouble.FLOOD, ["t[0]", "t[1]"])
    health.replace(Trouble.FLOOD, ["t[1]"])
    assert health.reasons == ("flood of dead letters: t[1]", "outage: database")


def test_a_worker_that_goes_on_is_alive() -> None:
    now = 0.0
    health = Health(silent_after=5, clock=lambda: now)
    now = 5
    assert health.is_alive
    now = 5.1
    assert not health.is_alive
    health.beat()
    assert health.is_alive
