"""Only one worker at a time can claim a replay request, on each database server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

from event_bus_kafka.dead_letters.retention import purge_requests
from event_bus_kafka.models import DeadLetter, Heartbeat, LetterState, ReplayRequest, RequestedLetter, RequestState
from event_bus_kafka.operations.dead_letters.request_plan import Wish, make, plan_request
from event_bus_kafka.operations.dead_letters.requests import reasons, report_of, reports
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.sandbox import Sandbox
from tests.support.databases import Database, on_mysql_too
from tests.support.letters import record_of, run, stored

pytestmark = [pytest.mark.real, on_mysql_too]

RECEIVER = "credentials.receivers.award"


@pytest.fixture(autouse=True)
def connected(database: Database, sandbox: Sandbox) -> Iterator[None]:
    with (
        override_settings(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url),
        database.connected("default"),
    ):
        yield


@pytest.fixture
def request_made() -> ReplayRequest:
    for offset in range(3):
        stored(record_of(7, offset=offset), RECEIVER)
    return _made()


def _made(**wish: Any) -> ReplayRequest:
    wanted = Wish(**wish)
    (found,) = make(plan_request(Selection(), wanted), wanted)
    return found


def _take(number: int, by: UUID) -> bool:
    return ReplayRequest.objects.take(number, by=by, worker="host:1")


def test_only_one_of_many_concurrent_workers_can_claim_a_replay_request(request_made: ReplayRequest) -> None:
    start = threading.Barrier(6)
    taken: list[bool] = []

    def take() -> None:
        start.wait()
        taken.append(_take(request_made.pk, uuid4()))
        connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 5 + [True]


def test_another_worker_claims_a_replay_request_after_a_minute_without_a_heartbeat(request_made: ReplayRequest) -> None:
    one, other, number = uuid4(), uuid4(), request_made.pk
    rows = ReplayRequest.objects
    assert _take(number, one)
    assert rows.beat(number, by=one)
    beat = ReplayRequest.objects.get().beat_at
    assert beat is not None
    for silence, is_free in ((50_000, False), (61_000, True)):
        rows.update(beat_at=beat - silence)
        assert [found.pk for found in rows.in_turn("mail")] == [number] * is_free
        assert _take(number, other) == is_free
    assert not rows.beat(number, by=one), "the first worker learns that it has lost the request"
    assert not rows.finish(number, RequestState.DONE, by=one)
    rows.let_go(number, by=one)
    assert rows.get().claimed_by == other
    assert rows.finish(number, RequestState.DONE, by=other)
    assert (rows.get().state, rows.get().claimed_by, rows.in_turn("mail")) == ("done", None, [])


def test_a_replay_request_can_be_claimed_as_soon_as_its_worker_lets_it_go_unless_it_is_paused(
    request_made: ReplayRequest,
) -> None:
    one, other, number, rows = uuid4(), uuid4(), request_made.pk, ReplayRequest.objects
    assert _take(number, one)
    rows.let_go(number, by=one)
    assert (rows.get().state, _take(number, other)) == ("requested", True)
    run("pause", number, "--apply")
    assert not rows.beat(number, by=other)
    rows.let_go(number, by=other)
    assert (rows.get().state, _take(number, one)) == ("paused", False)
    run("resume", number, "--apply")
    assert _take(number, one)
    run("cancel", number, "--apply")
    assert not rows.beat(number, by=one)
    with pytest.raises(CommandError, match="is stopped, not requested or running or paused"):
        run("cancel", number, "--apply")
    with pytest.raises(CommandError, match="There is no replay request 12345"):
        run("pause", 12345)


def test_the_replay_of_a_requested_letter_can_begin_only_once(request_made: ReplayRequest) -> None:
    rows = RequestedLetter.objects
    letter, seen_by_another = rows.order_by("number")[0], rows.order_by("number")[0]
    assert rows.begin(letter, "one")
    assert not rows.begin(seen_by_another, "other")
    assert [one.number for one in rows.left(request_made.pk, after=-1, most=2)] == [0, 1]
    rows.end(letter, "other", LetterState.FAILED, "")
    assert rows.get(pk=letter.pk).state == "running", "a worker without the claim cannot end the letter"


def test_the_report_of_a_replay_request_counts_failures_by_reason(request_made: ReplayRequest) -> None:
    for letter, error in zip(RequestedLetter.objects.all(), ("a", "b", "a"), strict=True):
        RequestedLetter.objects.end(letter, "", LetterState.FAILED, error)
    assert reasons(request_made.pk) == {"failed": {"a": 2, "b": 1}, "skipped": {}, "partly": {}, "unknown": {}}
    found = report_of(request_made.pk)
    assert found is not None
    assert (found.done, found.total, [one.request.pk for one in reports(5)]) == (3, 3, [request_made.pk])
    assert "failed: 2 × a" in run("requests", request_made.pk)


@override_settings(EVENT_BUS_KAFKA_HEARTBEAT=10)
def test_the_report_of_a_replay_request_says_whether_a_live_worker_supports_replay_requests(
    request_made: ReplayRequest,
) -> None:
    def obstacle() -> str:
        found = report_of(request_made.pk)
        assert found is not None
        return found.obstacle

    about: dict[str, Any] = {
        "kind": "consumer",
        "host": "h",
        "pid": 1,
        "service": "",
        "version": "0",
        "topics": [],
        "period": 10.0,
    }
    beat = partial(Heartbeat.objects.beat, uuid4(), age=1.0, **about)
    assert "No worker of group mail lives that could do it" in obstacle()
    beat(group="mail", state={})
    assert "No worker of group mail" in obstacle(), "workers of the version before do not support requests"
    beat(group="mail", state={"replaying": None})
    assert obstacle() == ""
    with override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0):
        assert "is not known" in obstacle()


def test_a_replay_request_is_deleted_with_its_list_of_letters_after_the_retention(request_made: ReplayRequest) -> None:
    kept = _made()
    ReplayRequest.objects.filter(pk=request_made.pk).update(state=RequestState.DONE, ended_at=1)
    assert purge_requests(90) == 3 + 1
    assert [one.pk for one in ReplayRequest.objects.all()] == [kept.pk]
    assert RequestedLetter.objects.count() == 3


def test_without_the_tables_of_replay_requests_a_request_is_refused_and_letters_can_be_listed() -> None:
    call_command("migrate", "event_bus_kafka", "0010", verbosity=0)
    letter = stored(record_of(7), RECEIVER)
    assert purge_requests(90) == 0
    with pytest.raises(CommandError, match="are missing"):
        run("replay", letter.pk, "--request")
    assert f"{letter.pk}  " in run("list")
    assert DeadLetter.objects.count() == 1
