"""A relay counts the waiting rows so seldom that counting takes only a small part of its time."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from event_bus_kafka.outbox import backlog
from event_bus_kafka.outbox.backlog import Backlog
from event_bus_kafka.relaying.progress import ProgressReports, RelayStates
from event_bus_kafka.relaying.relay import StepResult
from event_bus_kafka.relaying.topics import Topics
from tests.support.databases import connected
from tests.support.sqlite import on_sqlite

pytestmark = pytest.mark.django_db
NOTHING = Backlog(depth=0, oldest=0.0, parked={})


def counts(monkeypatch: pytest.MonkeyPatch, *, error: Exception | None, purge_takes: float = 0.0) -> list[float]:
    """
    Return the times at which the relay counts the backlog during 200 simulated seconds. The relay makes a step every
    second, and each count takes a second.
    """
    now, times = 0.0, []

    def count(_: type[Backlog], alias: str) -> Backlog:
        nonlocal now
        times.append(now)
        now += 1
        if error is not None:
            raise error
        return NOTHING

    def purge(_alias: str, _days: float) -> int:
        nonlocal now
        now += purge_takes
        return 0

    monkeypatch.setattr(Backlog, "of", classmethod(count))
    monkeypatch.setattr(backlog, "purge", purge)
    topics = Topics()
    states = RelayStates("default", topics)
    reports = ProgressReports("default", topics, states, retention=lambda: 90, clock=lambda: now)
    while now < 200:
        with suppress(OperationalError):
            reports(StepResult())
        now += 1
    return times


@pytest.mark.parametrize("error", [None, OperationalError()])
def test_at_most_a_fiftieth_of_the_time_is_spent_on_counting_waiting_rows(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    assert counts(monkeypatch, error=error) == [10, 60, 110, 160]


def test_the_daily_purge_does_not_postpone_the_next_count_of_waiting_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counts(monkeypatch, error=None, purge_takes=30) == [10, 60, 110, 160]


@pytest.mark.django_db(transaction=True)
def test_the_count_of_waiting_rows_switches_autocommit_on_even_if_the_settings_switch_it_off(tmp_path: Path) -> None:
    topics = Topics()
    with on_sqlite(tmp_path, "default"):
        with connected(connections.settings["default"] | {"AUTOCOMMIT": False}, "default") as connection:
            reports = ProgressReports("default", topics, RelayStates("default", topics), retention=lambda: 90)
            reports(StepResult())
            assert connection.get_autocommit()
