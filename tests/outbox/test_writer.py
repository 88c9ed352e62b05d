"""
Events that cannot be spilled immediately wait in memory, up to a limit. A thread of the process writes these events as
soon as the database accepts rows.
"""

from __future__ import annotations

import threading
from time import monotonic

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction

from event_bus_kafka.assembly.sending import shutdown, spill
from event_bus_kafka.producing import spill_buffer, spill_writer
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import EventSpilled, EventUndelivered, SpillDelayed
from tests.services.silence import black_hole
from tests.support.databases import Database, connected, on_mysql_too
from tests.support.direct import NO_REGISTRY, encoded, sender, spilled
from tests.support.outbox_service import Service, until
from tests.support.watching import watched

pytestmark = pytest.mark.real


@on_mysql_too
def test_events_that_fit_into_memory_are_spilled_after_the_database_returns_and_further_events_are_lost(
    service: Service, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_buffer, "MOST_BYTES", 10_000)
    with sender(service, **NO_REGISTRY) as service_sender:
        with watched(SpillDelayed, EventUndelivered) as seen:
            connections["default"].close()
            database.server.stop()
            ids = [service_sender.send() for _ in range(6)]
            until(lambda: any(isinstance(event, SpillDelayed) for event in seen))
            database.server.start()
            until(lambda: len(spilled()) == 4)
    assert spilled() == ids[:4]
    assert [event.event_id for event in seen if isinstance(event, EventUndelivered)] == ids[4:]


def test_senders_wait_and_no_event_is_lost_when_the_spill_buffer_is_full(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "_by_pid", {})  # a new spill, which has not seen an unreachable database
    monkeypatch.setattr(spill_buffer, "MOST_BYTES", 10_000)
    events = [encoded(service.topic) for _ in range(300)]
    for event in events:
        spill.spill([event], RuntimeError("away"), until=monotonic() + 60)
    assert spill.finish(60) == 0
    assert spilled() == [event.event_id for event in events]


def test_an_event_of_a_failed_delivery_is_lost_immediately_if_the_spill_buffer_is_full(
    sqlite_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "_by_pid", {})  # a new spill, which has not seen an unreachable database
    monkeypatch.setattr(spill_buffer, "MOST_BYTES", 3_000)
    monkeypatch.setattr(spill_buffer, "_STILL_TAKES", 60)
    events = [encoded(sqlite_service.topic) for _ in range(6)]
    with watched(EventUndelivered) as seen, transaction.atomic():
        ContentType.objects.create(app_label="holds", model="the lock")
        spill.spill(events, RuntimeError("away"))
        assert [event.event_id for event in seen] == [event.event_id for event in events[5:]]
    assert spill.finish(60) == 0


def test_the_writer_thread_spills_events_although_python_starts_no_more_threads(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Python starts no threads while the interpreter exits. The caller has an open transaction, so the rows must not be
    written on its connection.
    """

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(spill, "_by_pid", {})
    monkeypatch.setattr(shutdown, "_pid", None)
    shutdown.watch()
    monkeypatch.setattr(threading.Thread, "start", start)
    events = [encoded(service.topic) for _ in range(2)]
    with transaction.atomic():
        ContentType.objects.create(app_label="somebody", model="will commit")
        spill.spill(events[:1], RuntimeError("away"))
        spill.spill(
            events[1:], RuntimeError("away"), database="other"
        )  # no writer thread has been started for this database
        assert spill.finish(60) == 0
    assert spilled() == [event.event_id for event in events]
    assert ContentType.objects.filter(app_label="somebody").exists()


def test_the_writer_thread_continues_after_an_unexpected_exception(service: Service) -> None:
    threads: list[threading.Thread] = []

    class Odd(BaseException): ...

    def stumble(_: object) -> None:
        threads.append(threading.current_thread())
        raise Odd

    events = [encoded(service.topic) for _ in range(2)]
    observe(stumble, EventSpilled)
    try:
        for event in events:
            spill.spill([event], RuntimeError("away"))
            assert spill.finish(60) == 0
        until(lambda: len(threads) == 2)
    finally:
        unobserve(stumble)
    assert threads[0] is threads[1]
    assert spilled() == [event.event_id for event in events]


def test_an_event_that_is_abandoned_during_its_insert_is_reported_as_undelivered_and_not_as_spilled(
    sqlite_service: Service,
) -> None:
    event = encoded(sqlite_service.topic)
    with watched(EventSpilled, EventUndelivered) as seen:
        with transaction.atomic():
            ContentType.objects.create(app_label="holds", model="the lock")
            spill.spill([event], RuntimeError("away"))
            assert spill.finish(0.2) == 1
        until(lambda: sqlite_service.waiting)
        assert spill.finish(60) == 0
    assert {type(one) for one in seen} == {EventUndelivered}


def test_no_event_is_abandoned_while_the_database_is_unreachable(
    service: Service, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_writer, "_PATIENCE", 0)
    events = [encoded(service.topic) for _ in range(20)]
    with watched(SpillDelayed, EventUndelivered) as seen:
        connections["default"].close()
        database.server.stop()
        spill.spill(events, RuntimeError("away"))
        until(lambda: len(seen) > 3)
        database.server.start()
        until(lambda: service.waiting == 20)
    assert {type(event) for event in seen} == {SpillDelayed}
    assert spilled() == [event.event_id for event in events]


def test_a_silent_database_does_not_delay_events_for_another_database(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events that wait for the silent database may already fill the buffer."""
    monkeypatch.setattr(spill, "_by_pid", {})
    monkeypatch.setattr(spill_buffer, "MOST_BYTES", 10_000)
    with black_hole() as address:
        host, port = address.split(":")
        kept = encoded(service.topic)
        with connected(service.entry | {"HOST": host, "PORT": port}, "other"), watched(EventUndelivered) as seen:
            spill.spill([encoded(service.topic) for _ in range(5)], RuntimeError("away"), database="other", until=0)
            assert len(seen) == 1
            spill.spill([kept], RuntimeError("away"))
            until(lambda: spilled() == [kept.event_id])
            assert spill.finish(0.1) == 4


def test_no_event_is_abandoned_while_the_database_refuses_every_row(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_writer, "_PATIENCE", 0)
    with watched(SpillDelayed, EventUndelivered) as seen:
        spill.spill([encoded("x" * 300)], RuntimeError("away"))
        until(lambda: len(seen) > 3)
        assert {type(event) for event in seen} == {SpillDelayed}
        assert spill.finish(0) == 1


@on_mysql_too
@pytest.mark.parametrize("patience", [0, 60])
def test_only_events_that_the_database_refuses_are_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch, patience: int
) -> None:
    monkeypatch.setattr(spill_writer, "_PATIENCE", patience)
    events = [encoded("x" * 300 if number in (0, 7) else service.topic) for number in range(20)]
    with watched(EventUndelivered) as seen:
        spill.spill(events, RuntimeError("away"))
        until(lambda: service.waiting == 18)
        if patience:
            assert spill.finish(0) == 2
        until(lambda: len(seen) == 2)
    refused = {events[0].event_id, events[7].event_id}
    assert {*spilled()} == {event.event_id for event in events} - refused
    assert {event.event_id for event in seen} == refused
