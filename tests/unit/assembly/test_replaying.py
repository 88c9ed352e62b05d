"""The runner of replay requests works together with a worker's scheduler and housekeeping threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from time import sleep

import pytest
from pytest_django import DjangoDbBlocker

from event_bus_kafka.assembly import housekeeping
from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.replaying import request_runner
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dead_letters.table_store import TableStore
from event_bus_kafka.dispatching.outcomes import DONE, Outcome
from event_bus_kafka.housekeeping.housekeeper import Housekeeper
from event_bus_kafka.models import ReplayRequest
from event_bus_kafka.operations.dead_letters.request_plan import Wish, make, plan_request
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.replaying import standstill
from event_bus_kafka.replaying.request_runner import RequestRunner
from tests.support.letters import TOPIC, record_of, stored
from tests.support.meanwhile import FIRST
from tests.support.meanwhile import service as service
from tests.support.outbox_service import until
from tests.support.sqlite import on_sqlite


@pytest.fixture(autouse=True)
def keepers(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Use new housekeepers, because the threads of the old housekeepers have connections to the databases of other tests.
    """
    for name in ("housekeeper", "claim_keeper"):
        monkeypatch.setattr(housekeeping, name, Housekeeper())


@pytest.fixture(autouse=True)
def request_made(service: None, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        stored(record_of(7), FIRST)
        make(plan_request(Selection(), Wish()), Wish())
        yield


def _start(at_end: ExitStack, process: Callable[[Delivery], Outcome] = lambda _: DONE) -> RequestRunner:
    """Start one lane, which processes an event, and return the runner of a worker that has this lane."""
    scheduler = Scheduler(process, lanes=1)
    scheduler.submit(Delivery.of(record_of(8, offset=1), PartitionProgress(TOPIC, 0)))
    scheduler.start()
    at_end.callback(scheduler.stop)
    registry = at_end.enter_context(closing(registry_of_settings()))
    return request_runner(processor("mail", TableStore(), registry), scheduler, at_end)


def _beat_at() -> int:
    return ReplayRequest.objects.get().beat_at or 0


def test_a_worker_renews_its_claim_on_a_replay_request_while_other_housekeeping_hangs() -> None:
    """In this test, the task that deletes old rows hangs, as it does if a table is locked."""
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


def test_a_worker_releases_its_claim_on_a_replay_request_when_it_ends() -> None:
    with ExitStack() as at_end:
        _start(at_end)
        until(_beat_at)
    until(lambda: ReplayRequest.objects.get().claimed_by is None)
    assert ReplayRequest.objects.get().state == "requested"


def test_a_worker_releases_its_claim_on_a_replay_request_if_live_events_occupy_all_lanes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standstill, "_MOVES_WITHIN", 2.0)
    ends = threading.Event()

    def hang(_: Delivery) -> Outcome:
        ends.wait(600)
        return DONE

    with ExitStack() as at_end:
        at_end.callback(ends.set)
        runner = _start(at_end, hang)

        def poll() -> None:
            runner.submit(is_busy=True)
            sleep(0.05)

        until(lambda: "have kept all of its lanes" in ReplayRequest.objects.get().note, step=poll)
        assert ReplayRequest.objects.get().claimed_by is None
