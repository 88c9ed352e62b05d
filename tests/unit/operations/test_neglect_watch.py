"""A worker or relay reports neglects in its metrics, on its page /ready, and as warnings when it starts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.operations.neglects import reading
from event_bus_kafka.operations.neglects.catalogue import OwnTables
from event_bus_kafka.operations.neglects.watch import NeglectWatch
from event_bus_kafka.operations.status.asking import Unanswered, ask_all, within, within_if_free
from event_bus_kafka.telemetry import metrics, observe, unobserve
from event_bus_kafka.telemetry.events import LifecycleEvent, NeglectFound
from event_bus_kafka.telemetry.samples import gauged
from event_bus_kafka.telemetry.state import Running
from tests.support import neglected
from tests.support.asking import until_all_have_ended
from tests.support.databases import connected
from tests.support.sqlite import on_sqlite
from tests.support.states import RelayOf, consumer_state


@pytest.fixture(autouse=True)
def database(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        yield


@pytest.fixture
def running() -> Running:
    return Running()


@pytest.fixture
def watch(running: Running) -> Iterator[NeglectWatch]:
    with NeglectWatch(running, lambda: ["default"], OwnTables(retention=90)) as watch:
        yield watch


def test_the_metric_of_a_kind_of_neglect_returns_to_0_when_all_its_neglects_have_ended(
    running: Running, watch: NeglectWatch
) -> None:
    def series() -> dict[str, float]:
        found = [one for one in gauged(running, set) if one.metric is metrics.NEGLECTS]
        return {one.labels[0]: one.value for one in found if isinstance(one.value, int)}

    assert series() == {}, "nobody has looked"
    neglected.pause(neglected.ago(days=2), "one")
    neglected.pause(neglected.ago(days=2), "two")
    watch.look()
    assert series()["receiver-paused"] == 2
    PausedReceiver.objects.all().delete()
    watch.look()
    assert series()["receiver-paused"] == series()["outbox-waits"] == 0
    assert "retention-ends" not in series(), "no table tells"


def test_a_kind_of_neglect_is_left_out_of_the_metrics_while_its_table_is_missing(
    running: Running, watch: NeglectWatch
) -> None:
    neglected.pause(neglected.ago(days=2))
    watch.look()
    assert running.neglects()["receiver-paused"] == 1
    with connections["default"].cursor() as cursor:
        cursor.execute("DROP TABLE event_bus_kafka_pausedreceiver")
    watch.look()
    assert "receiver-paused" not in running.neglects()
    assert running.neglects()["dead-letters-grow"] == 0


def test_the_metrics_show_no_neglects_after_a_search_has_raised_an_exception(running: Running) -> None:
    outboxes: Any = iter([["default"]])
    with NeglectWatch(running, lambda: next(outboxes), OwnTables(retention=90)) as watch:
        watch.look()
        assert running.neglects()
        with pytest.raises(StopIteration):
            watch.look()
        assert running.neglects() == {}


def test_neglects_in_other_databases_are_reported_while_one_database_is_unreachable(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    away = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all"}
    neglected.waiting_row(neglected.ago(minutes=6))
    with connected(away, "away"), NeglectWatch(running, lambda: ["away", "default"], OwnTables(retention=90)) as watch:
        for _ in range(2):
            watch.look()
        assert running.neglects() == {
            "outbox-waits": 1,
            **dict.fromkeys(["dead-letters-grow", "dead-letters-end", "topic-held", "receiver-paused"], 0),
            **dict.fromkeys(["clock-off", "group-without-worker"], 0),
        }, "whether rows are parked is not known"
        assert running.remarks() == ("neglects in database away are not known",)
    assert [one.getMessage() for one in caplog.records if "Cannot look" in one.getMessage()] == [
        "Cannot look for neglects, such as rows that wait too long, in database away. "
        "Run manage.py event_bus_status to see why."
    ]


def test_a_hanging_database_is_queried_only_once_and_other_databases_are_still_searched(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, for_ever = threading.Semaphore(0), threading.Event()

    def hang(alias: str) -> int:
        if alias == "default":
            return database_now(alias)
        begun.release()
        for_ever.wait(600)
        return 0

    monkeypatch.setattr(reading, "database_now", hang)
    entry = connections.settings["default"]
    with connected(entry, "frozen"):
        outboxes = lambda: ["frozen", "default"]  # noqa: E731 it is short
        with NeglectWatch(running, outboxes, OwnTables(retention=90), seconds=2) as watch:
            watch.look()
            watch.look()
            assert running.neglects()["receiver-paused"] == 0
            assert "parked-rows-end" not in running.neglects()
        for_ever.set()
        until_all_have_ended()
    assert begun.acquire(timeout=60)
    assert not begun.acquire(blocking=False)


def test_the_late_answer_to_a_question_is_not_used_for_the_next_question() -> None:
    ask, late = within_if_free(0.01, {}), threading.Event()
    first = ask("Kafka", lambda: late.wait(600) and "earlier")
    assert isinstance(first.wait(), Unanswered)
    second = ask("Kafka", lambda: "later")
    late.set()
    until_all_have_ended()
    assert isinstance(second.wait(), Unanswered)
    third = ask("Kafka", lambda: "later")
    until_all_have_ended()
    assert third.wait() == "later"


def test_an_answer_is_reported_although_a_later_question_to_the_same_server_hangs() -> None:
    for_ever = threading.Event()
    found = ask_all({"one": ("a", lambda: 1), "two": ("a", lambda: for_ever.wait(600))}, within(2))
    for_ever.set()
    until_all_have_ended()
    assert found["one"] == 1
    assert isinstance(found["two"], Unanswered)


def test_the_caller_keeps_its_database_connection_if_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    connections["default"].ensure_connection()
    before = connections["default"].connection
    assert within(2)("database default", lambda: 1).wait() == 1
    assert connections["default"].connection is before


def test_the_metrics_show_the_previous_neglects_while_a_search_runs(running: Running) -> None:
    seen: list[int | None] = []

    def outboxes() -> list[str]:
        seen.append(running.neglects().get("receiver-paused"))
        return ["default"]

    neglected.pause(neglected.ago(days=2))
    with NeglectWatch(running, outboxes, OwnTables(retention=90)) as watch:
        watch.look()
        watch.look()
    assert seen == [None, 1]


def test_the_ready_page_shows_only_neglects_that_concern_the_process(running: Running, watch: NeglectWatch) -> None:
    neglected.waiting_row(neglected.ago(minutes=6))
    neglected.pause(neglected.ago(days=2))
    watch.look()
    assert running.remarks() == ()
    with running.relay(RelayOf()):
        (line,) = running.remarks()
        assert line.startswith("neglected: outbox-waits: default: The oldest row has waited for 6 minutes")
    with running.consumer(consumer_state):
        assert [line.split(": ")[1] for line in running.remarks()] == ["receiver-paused"]


def test_only_neglects_found_by_the_first_search_are_logged_as_warnings(
    watch: NeglectWatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[LifecycleEvent] = []
    observe(told.append, NeglectFound)
    observe_events()
    try:
        neglected.waiting_row(neglected.ago(minutes=6))
        watch.look()
        neglected.pause(neglected.ago(days=2))
        watch.look()
    finally:
        unobserve(told.append)
    assert len(told) == 1
    lines = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert lines[0].startswith(
        "Neglect found (kind=outbox-waits, subject=default): The oldest row has waited for 6 minutes"
    )
    assert "relay_events --database default" in lines[0]


def test_the_metrics_show_no_neglects_if_the_tables_are_missing(running: Running, watch: NeglectWatch) -> None:
    call_command("migrate", "event_bus_kafka", "zero", verbosity=0)
    watch.look()
    assert running.neglects() == {}


def test_waiting_rows_are_not_reported_as_a_neglect_if_heartbeats_are_disabled(running: Running) -> None:
    neglected.waiting_row(neglected.ago(minutes=6))
    with NeglectWatch(running, lambda: ["default"], OwnTables(retention=90, heartbeats=False)) as watch:
        watch.look()
        assert "outbox-waits" not in running.neglects()
