"""Operators request replays, and workers run these replays between live events."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import sleep

import pytest
from django.core.management import CommandError
from django.test import override_settings

from event_bus_kafka.models import DeadLetter, DeadLetterEntry, Heartbeat, ReplayRequest
from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.support.databases import Database, on_mysql_too
from tests.support.examples_of import certificate
from tests.support.letters import run
from tests.support.order import numbered
from tests.support.requested import (
    Requesting,
    connected,
    counts,
    eventually,
    first_to_begin,
    heard,
    in_order,
    is_in_state,
    named,
    report,
    silence,
    state_of,
    store_letters,
    twice,
)
from tests.support.scale import scaled
from tests.support.sending import send

pytestmark = pytest.mark.real

USERS = range(1, 11)
LIVE = range(101, 106)
EACH = scaled(12, long=1_000)
WITHIN = scaled(120, long=1_200)


@pytest.fixture(autouse=True)
def default(database: Database) -> Iterator[None]:
    with override_settings(EVENT_BUS_KAFKA_HEARTBEAT=10), connected(database):
        yield


@on_mysql_too
@pytest.mark.timeout(scaled(300, long=1_500))
def test_letters_are_replayed_in_order_and_only_interrupted_letters_are_repeated_if_a_worker_is_killed(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    lanes = 4 if database.vendor == "mariadb" else 1
    names = ("first", "second", "third")
    service = _service(bus, topic, group, database, *names)
    count = store_letters(bus, topic, group, USERS, EACH, *named(*names))
    with ExitStack() as stack:
        workers = [stack.enter_context(service.worker(lanes=lanes)) for _ in range(2)]
        number = service.request("--rate", scaled("60", long="100000"))
        live = threading.Thread(target=_send_live, args=(bus, topic, EACH))
        live.start()
        killed = first_to_begin(USERS, workers)
        eventually(lambda: counts(number).get("succeeded", 0) > count // 10, lambda: killed.log, WITHIN)
        killed.kill()
        (left,) = [one for one in workers if one is not killed]
        silence(number)
        is_in_state(number, "done", left, seconds=WITHIN)
        live.join()
        for name in names:
            eventually(partial(_have_had_all_live, workers, name))
        left.stop()
    assert counts(number) == {"succeeded": count}
    assert DeadLetter.objects.count() == 0
    begun = {one for name in names for one in heard("begins", name, killed)}
    for name in names:
        lines = [one for one in heard("ends", name, *workers) if one[0] in USERS]
        assert set(lines) == {(user, grade) for user in USERS for grade in range(EACH)}
        again = twice(lines)
        assert len(again) <= lanes, "only letters that ran when the worker was killed may run twice"
        assert set(again) <= begun
        assert in_order([one for one in heard("begins", name, *workers) if one[0] in USERS])


def _service(bus: RealBus, topic: str, group: str, database: Database, *names: str, **settings: object) -> Requesting:
    receivers = ",".join(f"replaying.{one}" for one in names)
    return Requesting(bus=bus, database=database, topic=topic, group=group, receivers=receivers, settings=settings)


on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@on_postgresql
def test_a_stopped_worker_completes_its_current_letter_and_another_worker_does_the_rest_of_the_request(
    bus: RealBus, topic: str, group: str, database: Database, tmp_path: Path
) -> None:
    service = _service(bus, topic, group, database, "gated")
    store_letters(bus, topic, group, [1, 2], 3, *named("gated"))
    gate = {"GATE": str(tmp_path / "open")}
    with service.worker(environment=gate) as stopped:
        number = service.request("--reason", "after the fix")
        stopped.wait_for(lambda: stopped.heard("begins"), "for a letter")
        stopped.send(signal.SIGTERM)
        sleep(0.5)
        Path(gate["GATE"]).touch()
        assert stopped.end() == 0, stopped.log
        assert (len(stopped.heard("begins")), len(stopped.heard("ends"))) == (1, 1)
    assert (state_of(number), counts(number)) == ("requested", {"succeeded": 1, "waiting": 5})
    assert ReplayRequest.objects.get().claimed_by is None
    found = report(number)
    assert f"No worker of group {group} lives that could do it" in found["obstacle"]
    assert f"manage.py consume_events -t {topic} -g {group}" in found["obstacle"]
    with service.worker(environment=gate) as process:
        is_in_state(number, "done", process)
        assert process.stop() == 0
    assert heard("ends", "gated", stopped, process) == [(user, grade) for grade in range(3) for user in (1, 2)]
    found = report(number)
    assert (found["done"], found["succeeded"], found["reason"], found["obstacle"]) == (6, 6, "after the fix", "")


@on_postgresql
def test_a_running_request_appears_in_heartbeats_and_can_be_paused_resumed_and_cancelled(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    service = _service(bus, topic, group, database, "first", EVENT_BUS_KAFKA_HEARTBEAT=0.2)
    store_letters(bus, topic, group, USERS, 200, *named("first"))
    with service.worker() as process:
        number = service.request("--rate", "20")
        told = Heartbeat.objects.values_list("state", flat=True)
        eventually(lambda: any((state["replaying"] or {}).get("done") for state in told.all()), lambda: process.log)
        assert Heartbeat.objects.get().state["replaying"]["request"] == number
        assert Heartbeat.objects.get().state["receivers"] == named("first")
        assert "repeat it with --apply" in run("pause", number)
        assert state_of(number) == "running"
        run("pause", number, "--apply")
        eventually(lambda: ReplayRequest.objects.get().claimed_by is None, lambda: process.log)
        before = counts(number)
        assert "running" not in before
        with pytest.raises(CommandError, match="is paused, not requested or running"):
            run("pause", number, "--apply")
        sleep(1.5)
        assert counts(number) == before
        run("resume", number, "--apply")
        eventually(lambda: counts(number)["succeeded"] > before["succeeded"], lambda: process.log)
        run("cancel", number, "--apply")
        eventually(lambda: ReplayRequest.objects.get().claimed_by is None, lambda: process.log)
        request = ReplayRequest.objects.get()
        assert (request.state, request.note[:13]) == ("stopped", "cancelled by ")
        succeeded = counts(number)["succeeded"]
        began, ended = request.began_at, request.ended_at
        assert began is not None
        assert ended is not None
        assert succeeded <= 20 * ((ended - began) / 1000 + 1) + 2, "no more letters than the rate allows"
        assert process.stop() == 0
    assert heard("ends", "first", process) == [(user, n) for n in range(200) for user in USERS][:succeeded]


@on_postgresql
def test_two_requests_for_the_same_letters_replay_each_letter_only_once(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    service = _service(bus, topic, group, database, "first")
    count = store_letters(bus, topic, group, USERS, 6, *named("first"))
    numbers = [service.request("--rate", "30") for _ in range(2)]
    with service.worker() as one, service.worker() as other:
        for number in numbers:
            is_in_state(number, "done", one, other)
        done = [one.stop(), other.stop()]
    assert done == [0, 0]
    assert len(heard("ends", "first", one, other)) == count
    found = [counts(number) for number in numbers]
    assert sum(one.get("succeeded", 0) for one in found) == count
    assert sum(one.get("skipped", 0) for one in found) == count


@on_postgresql
def test_too_many_consecutive_failures_stop_a_request_but_not_the_worker(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    service = _service(bus, topic, group, database, "refuse", "first")
    store_letters(bus, topic, group, [1], 8, *named("refuse", "first"))
    with service.worker() as process:
        number = service.request("--stop-after", "3")
        is_in_state(number, "stopped", process)
        found = report(number)
        assert (found["note"], found["failed"]) == ("3 letters in a row failed", 3)
        assert found["reasons"]["failed"] == {f"{named('refuse')[0]}: ValueError": 3}
        stand_in = service.request("--receiver", *named("first"))
        is_in_state(stand_in, "done", process)
        send(bus, topic, certificate(101, grade="0"))
        process.wait_for(lambda: (101, 0) in heard("ends", "first", process), "for a live event")
        assert process.stop() == 0
    assert counts(stand_in) == {"partly": 5}, "the stand-in has succeeded for the other three letters"
    assert len(heard("ends", "first", process)) == 9


@on_postgresql
def test_a_stand_in_runs_for_a_receiver_that_no_longer_exists(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    service = _service(bus, topic, group, database, "first")
    count = store_letters(bus, topic, group, [1, 2], 2, "gone.receiver")
    with service.worker() as process:
        number = service.request("--receiver", *named("first"))
        is_in_state(number, "done", process)
        process.stop()
    assert counts(number) == {"succeeded": count}
    assert {one.stand_in for one in DeadLetterEntry.objects.filter(state="replaced")} == set(named("first"))


@on_postgresql
def test_system_exit_in_a_receiver_stops_the_request_but_not_the_worker(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    service = _service(bus, topic, group, database, "leave")
    store_letters(bus, topic, group, [1], 2, *named("leave"))
    with service.worker() as process:
        number = service.request()
        is_in_state(number, "stopped", process)
        assert process.stop() == 0, "the worker goes on"
    assert counts(number) == {"failed": 1, "waiting": 1}
    assert "SystemExit" in ReplayRequest.objects.get().note


@on_postgresql
def test_receivers_of_events_and_letters_never_run_concurrently_on_a_single_lane(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    service = _service(bus, topic, group, database, "alone")
    count = store_letters(bus, topic, group, USERS, 10, *named("alone"))
    with service.worker() as process:
        number = service.request()
        send(bus, topic, *numbered(list(LIVE), 20))
        is_in_state(number, "done", process)
        process.wait_for(lambda: len(process.heard("alone")) == count + 100, "for all")
        process.stop()
    assert process.heard("at once") == []


def _send_live(bus: RealBus, topic: str, each: int) -> None:
    part = max(each // 20, 4)
    for start in range(0, each, part):
        send(bus, topic, *numbered(list(LIVE), part, begin=start))
        sleep(scaled(0, long=3))


def _have_had_all_live(workers: list[ServiceProcess], receiver: str) -> bool:
    return {(user, grade) for user in LIVE for grade in range(EACH)} <= set(heard("ends", receiver, *workers))
