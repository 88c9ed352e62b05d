"""Workers run requested replays of topics and requested backfills between live events."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from time import sleep
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.dead_letters.retention import purge_requests
from event_bus_kafka.models import ReplayRequest
from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.support.databases import Database, on_mysql_too
from tests.support.examples_of import certificate
from tests.support.letters import record_of, run, stored
from tests.support.order import numbered
from tests.support.requested import (
    Requesting,
    connected,
    eventually,
    heard,
    in_order,
    report,
    silence,
    state_of,
    twice,
)
from tests.support.requested_runs import Runner, processing, progress_of, topic_request
from tests.support.sending import send

pytestmark = pytest.mark.real

USERS, EACH = range(1, 7), 30
COUNT = 1_000


@pytest.fixture(autouse=True)
def default(database: Database) -> Iterator[None]:
    with override_settings(EVENT_BUS_KAFKA_HEARTBEAT=10), connected(database):
        yield


@on_mysql_too
def test_another_worker_continues_the_replay_of_a_killed_worker_at_the_saved_progress(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    live = f"{topic}-live"
    bus.create_topic(live)
    send(bus, topic, *numbered(list(USERS), EACH))
    lanes = 4 if database.vendor == "mariadb" else 1
    service = Requesting(bus=bus, database=database, topic=live, group=group, receivers="replaying.first")
    count = len(USERS) * EACH
    with ExitStack() as stack:
        workers = [stack.enter_context(service.worker(lanes=lanes)) for _ in range(2)]
        number = _replay(bus, topic, group, "--rate", "60", "--reason", "the cache was empty")
        eventually(lambda: progress_of(number).done > count // 4, lambda: "\n".join(one.log for one in workers))
        (killed,) = [one for one in workers if one.heard("begins")]
        (left,) = [one for one in workers if one is not killed]
        killed.kill()
        saved = progress_of(number).done
        silence(number)
        eventually(lambda: state_of(number) == "done", lambda: f"{ReplayRequest.objects.get().note}\n{left.log}")
        send(bus, live, *numbered([101], 3))
        left.wait_for(lambda: len([one for one in heard("ends", "first", left) if one[0] == 101]) == 3, "for live ones")
        assert left.stop() == 0
    before, after = heard("begins", "first", killed), [one for one in heard("begins", "first", left) if one[0] != 101]
    assert {*before, *after} == {(user, grade) for user in USERS for grade in range(EACH)}
    assert set(twice([*before, *after])) <= set(before)
    assert len(after) == count - saved, "the other worker continued at the saved progress"
    assert in_order(before)
    assert in_order(after)
    found = report(number)
    assert (found["done"], found["offsets"], found["succeeded"], found["failed"]) == (count, count, count, 0)
    assert (found["reason"], found["obstacle"]) == ("the cache was empty", "")
    assert bus.committed(group, topic) < 0, "a replay commits no offset"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_backfill_that_was_paused_and_resumed_sends_no_item_twice(
    bus: RealBus, topic: str, group: str, database: Database
) -> None:
    out = f"{topic}-out"
    bus.create_topic(out)
    config = {"EVENT_BUS_PRODUCER_CONFIG": bus.settings(out)["EVENT_BUS_PRODUCER_CONFIG"]}
    service = Requesting(bus=bus, database=database, topic=topic, group=group, receivers="", settings=config)
    environment = {"COUNT": str(COUNT)}
    arguments = ("backfill_events", "service.certificates", "--request", "--rate", "20", "--apply")
    settings = bus.settings(**database.settings(**config))
    with ServiceProcess(*arguments, settings=settings, environment=environment) as made:
        assert made.end() == 0, made.log
    number = ReplayRequest.objects.get().pk
    assert f"Replay request {number} is made" in made.log
    assert "No worker of service service lives" in made.log
    with service.worker(environment=environment) as process:
        eventually(lambda: progress_of(number).items, lambda: process.log)
        run("pause", number, "--apply")
        eventually(lambda: ReplayRequest.objects.get().claimed_by is None, lambda: process.log)
        paused = progress_of(number)
        assert 0 < paused.items < COUNT
        assert paused.token == str(paused.items)
        sleep(1.5)
        assert bus.end_of(out) == paused.items
        ReplayRequest.objects.update(rate=None)  # without a rate the test ends sooner
        run("resume", number, "--apply")
        eventually(lambda: state_of(number) == "done", lambda: f"{ReplayRequest.objects.get().note}\n{process.log}")
        assert process.stop() == 0
    assert bus.end_of(out) == COUNT
    found = report(number)
    assert (found["done"], found["items"], found["succeeded"], found["resume"]) == (COUNT, COUNT, COUNT, str(COUNT))


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_replay_waits_for_a_topic_that_is_missing_for_a_moment(
    bus: RealBus, cluster: KafkaCluster, topic: str, group: str, database: Database
) -> None:
    users: list[int] = []

    def note(certificate: CertificateData, **_: Any) -> None:
        users.append(certificate.user.id)

    CERTIFICATE_CREATED.connect(note)
    send(bus, topic, certificate(1), certificate(2))
    number = topic_request(topic, 0, 2, group)
    cluster.delete_topic(topic)
    with override_settings(**bus.settings(topic)), processing(group) as receiving:
        runner = Runner(receiving)
        runner.go_on_until(lambda: report(number)["note"])
        assert "UNKNOWN" in report(number)["note"]
        assert "(the request ends if this lasts for 60 s)" in report(number)["note"]
        bus.create_topic(topic)
        send(bus, topic, certificate(1), certificate(2))
        runner.go_on_until(lambda: state_of(number) == "done")
    CERTIFICATE_CREATED.disconnect(note)
    assert users == [1, 2]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_only_replays_of_dead_letters_can_be_requested_before_the_migration_for_replays_of_topics(
    bus: RealBus, topic: str, database: Database
) -> None:
    call_command("migrate", "event_bus_kafka", "0012", verbosity=0)
    with override_settings(**bus.settings()):
        letter = stored(record_of(7), "mail.receivers.note")
    assert "Replay request 1 of group mail is made" in run("replay", letter.pk, "--request", "--apply")
    assert "1  requested  group mail: 0 of 1 letters" in run("requests")
    ReplayRequest.objects.update(state="done", ended_at=1)
    assert purge_requests(90) == 2
    with pytest.raises(CommandError, match="tables of replay requests are missing"):
        call_command("replay_events", "-t", topic, "--from", "0", "-g", "mail", "--request")


def _replay(bus: RealBus, topic: str, group: str, *arguments: str) -> int:
    """Request a replay of a topic; return the number of the request."""
    output = io.StringIO()
    with override_settings(**bus.settings()):
        command = ("replay_events", "-t", topic, "--from", "earliest", "-g", group, "--request", "--apply")
        call_command(*command, *arguments, stdout=output)
    number = int(ReplayRequest.objects.latest("pk").pk)
    assert f"Replay request {number} is made" in output.getvalue()
    return number
