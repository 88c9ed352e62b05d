"""Replay requests of a worker, as it is assembled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from event_bus_kafka.assembly import housekeeping
from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.replaying import request_runner
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dead_letters.table_store import TableStore
from event_bus_kafka.dispatching.outcomes import DONE
from event_bus_kafka.housekeeping.housekeeper import Housekeeper
from event_bus_kafka.models import ReplayRequest
from event_bus_kafka.operations.dead_letters.request_plan import Wish, make, plan_request
from event_bus_kafka.operations.dead_letters.selection import Selection
from tests.support.letters import record_of, stored
from tests.support.meanwhile import FIRST
from tests.support.meanwhile import service as service
from tests.support.outbox_service import until
from tests.support.sqlite import on_sqlite


@pytest.fixture(autouse=True)
def keepers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use new ones: a thread keeps its connections, here to the databases of other tests."""
    for name in ("housekeeper", "claim_keeper"):
        monkeypatch.setattr(housekeeping, name, Housekeeper())


@pytest.fixture(autouse=True)
def request_made(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        stored(record_of(7), FIRST)
        make(plan_request(Selection(), Wish()), Wish())
        yield


def _start(at_end: ExitStack) -> None:
    registry = at_end.enter_context(closing(registry_of_settings()))
    request_runner(processor("mail", TableStore(), registry), Scheduler(lambda _: DONE, lanes=1), at_end)


def _beat_at() -> int:
    return ReplayRequest.objects.get().beat_at or 0


def test_other_housekeeping_that_hangs_makes_no_worker_lose_its_request() -> None:
    """As where old rows are deleted in a table that somebody has locked."""
    hangs, answer = threading.Event(), threading.Event()

    def purge() -> None:
        hangs.set()
        answer.wait(600)

    with ExitStack() as at_end:
        at_end.callback(answer.set)
        housekeeping.periodically(at_end, 60.0, "Old rows were not deleted", purge)
        assert hangs.wait(60)
        _start(at_end)
        until(_beat_at)
        first = _beat_at()
        until(lambda: _beat_at() > first)


def test_a_worker_that_ends_hands_its_request_back() -> None:
    with ExitStack() as at_end:
        _start(at_end)
        until(_beat_at)
    until(lambda: ReplayRequest.objects.get().claimed_by is None)
    assert ReplayRequest.objects.get().state == "requested"
