"""What a worker's or relay's housekeeping begins, and ends with it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.assembly import housekeeping
from event_bus_kafka.telemetry.state import running
from tests.support import neglected
from tests.support.outbox_service import until
from tests.support.sqlite import on_sqlite


def test_workers_look_for_neglects_until_they_end(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_FIRST_NEGLECTS", 0.0)
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"), override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0):
        neglected.pause(neglected.ago(days=2))
        with ExitStack() as at_end:
            housekeeping.keep_house_of_workers(at_end)
            until(lambda: running.neglects().get("receiver-paused") == 1)
        assert running.neglects() == {}
