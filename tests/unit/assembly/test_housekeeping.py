"""A worker or relay starts housekeeping tasks, and ends these tasks when the worker or relay ends."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.assembly import housekeeping
from event_bus_kafka.housekeeping.housekeeper import Housekeeper
from event_bus_kafka.models import Heartbeat
from event_bus_kafka.telemetry.state import running
from tests.support import neglected
from tests.support.outbox_service import until
from tests.support.sqlite import on_sqlite
from tests.support.states import RelayOf


@pytest.fixture(autouse=True)
def keepers(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Use new housekeepers, because the threads of the old housekeepers have connections to the databases of other tests.
    """
    for name in ("housekeeper", "watchman"):
        monkeypatch.setattr(housekeeping, name, Housekeeper())


def test_a_worker_reports_neglects_until_it_ends(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_FIRST_NEGLECTS", 0.0)
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"), override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0):
        neglected.pause(neglected.ago(days=2))
        with ExitStack() as at_end:
            housekeeping.keep_house_of_workers(at_end)
            until(lambda: running.neglects().get("receiver-paused") == 1)
        assert running.neglects() == {}


def test_a_hanging_search_for_neglects_does_not_delay_heartbeats(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search queries several databases, and one of them may not answer."""
    looking, answer = threading.Event(), threading.Event()

    def hang() -> list[str]:
        looking.set()
        answer.wait(600)
        return ["default"]

    monkeypatch.setattr(housekeeping, "_FIRST_NEGLECTS", 0.0)
    monkeypatch.setattr(housekeeping, "outbox_databases", hang)
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"), override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0.1):
        with ExitStack() as at_end:
            at_end.enter_context(running.relay(RelayOf()))
            housekeeping.keep_house_of_workers(at_end)
            assert looking.wait(60)
            until(lambda: Heartbeat.objects.exists())
            first = Heartbeat.objects.get().beat_at
            until(lambda: Heartbeat.objects.get().beat_at > first)
            answer.set()
