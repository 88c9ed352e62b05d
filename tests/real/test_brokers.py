"""A worker survives failures of brokers and networks without a restart, and no event is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.projects.process import PATIENCE, ServiceProcess
from tests.services.bus import RealBus
from tests.services.guarded import GuardedKafka
from tests.services.kafka import KafkaCluster
from tests.services.proxy import Proxy, cut, half_open, latency, silence
from tests.services.schema_registry import SchemaRegistry
from tests.support.dead_letters import InTable, OnTopic
from tests.support.order import assert_first_in_order, event, numbered
from tests.support.scale import scaled
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(900)]

USERS = list(range(4))
OUTAGE = scaled(3, long=30)
SEND_UNTIL_TOLD = """
import itertools, sys, threading
from django.conf import settings
from openedx_events.learning.signals import CERTIFICATE_CREATED
from tests.support.examples_of import certificate
from tests.projects.certificates.apps import say
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
for number in itertools.count():
    for user in range(4):
        CERTIFICATE_CREATED.send_event(certificate=certificate(user, grade=str(number)))
    if told.wait(0.05):
        break
say("sent", user=0, each=number + 1)
"""


def newest(process: ServiceProcess) -> int:
    return max((int(line["grade"]) for line in process.heard("ends")), default=-1)


def newest_begun(process: ServiceProcess) -> int:
    return max((int(line["grade"]) for line in process.heard("begins")), default=-1)


def goes_on(process: ServiceProcess) -> None:
    """Wait until the worker has processed further events. Their numbers are higher than all earlier numbers."""
    before = newest(process)
    process.wait_for(lambda: newest(process) > before + 5, "for newer events", seconds=2 * PATIENCE)


def distinct(process: ServiceProcess) -> set[tuple[int, int]]:
    return {event(line) for line in process.heard("ends")}


def test_case_24_no_event_is_lost_while_one_or_more_brokers_are_killed_and_restarted(
    three_brokers: KafkaCluster,
    schema_registry: SchemaRegistry,
    group: str,
    tmp_path: Path,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    """
    A service emits continuously through its outbox. A restarted broker may have forgotten the sequence number of a
    producer. In this case the producer fails fatally and loses its queue.
    """
    bus, topic = RealBus(three_brokers, schema_registry), f"topic-{group}"
    bus.create_topic(topic, 2)
    OnTopic(bus, group).create()
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database"), "OPTIONS": {"timeout": 30}}
    database = InTable(entry, django_db_blocker).migrate().settings
    settings = bus.settings(topic, **database, EVENT_BUS_PRODUCER_MODE="outbox")
    with (
        worker(bus, topic, group, "trouble.endure", lanes=2, EVENT_BUS_KAFKA_DEAD_LETTERS="topic") as process,
        ServiceProcess("relay_events", settings=settings) as relay,
        ServiceProcess(code=SEND_UNTIL_TOLD, settings=settings) as sender,
    ):
        goes_on(process)
        three_brokers.kill(1)
        goes_on(process)
        three_brokers.kill(2)  # below min.insync.replicas
        sleep(OUTAGE)
        three_brokers.kill(3)
        sleep(OUTAGE)
        three_brokers.start(1, 2, 3)
        goes_on(process)
        for number in (1, 2, 3):
            three_brokers.terminate(number)
            three_brokers.start(number)
        goes_on(process)
        sender.tell()
        assert sender.end() == 0, sender.log
        (each,) = [line["each"] for line in sender.heard("sent")]
        process.wait_for(lambda: len(distinct(process)) == len(USERS) * each, "for all", seconds=2 * PATIENCE)
        assert (process.stop(), relay.stop()) == (0, 0)
    assert_first_in_order(process.said, USERS, each)
    assert "stored as a dead letter" not in process.log
    print(f"{len(USERS) * each} events, {len(process.heard('ends')) - len(USERS) * each} twice")


def arrived(process: ServiceProcess, each: int) -> None:
    process.wait_for(lambda: len(distinct(process)) == len(USERS) * each, f"for {each} of each user")


def test_case_25_no_event_is_lost_while_the_network_is_silent_or_cut_or_slow(
    guarded: GuardedKafka, schema_registry: SchemaRegistry, group: str
) -> None:
    """
    A receiver that runs during a fault ends normally. Each event arrives at least once, and the first deliveries are in
    order.
    """
    bus, topic = RealBus(guarded.cluster, schema_registry), f"topic-{group}"
    bus.create_topic(topic, 2)
    way = guarded.through_proxy
    shorter = {"socket.timeout.ms": 2_000, "session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}
    changes: dict[str, Any] = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": way.address,
        "EVENT_BUS_KAFKA_CONSUMER_OPTIONS": shorter,
    }
    faults: list[Callable[[Proxy], Any]] = [silence, cut, latency, half_open]
    with Proxy(way.port, way.advertised) as proxy:
        with worker(bus, topic, group, "trouble.endure", {"SECONDS": "1"}, lanes=4, **changes) as process:
            process.wait_for_log("Kafka consumer: connected")
            for number, fault in enumerate(faults):
                send(bus, topic, *numbered(USERS, 1, begin=2 * number))
                process.wait_for(lambda number=number: newest_begun(process) == 2 * number)  # type: ignore[misc]
                with fault(proxy):
                    send(bus, topic, *numbered(USERS, 1, begin=2 * number + 1))
                    sleep(OUTAGE)
                arrived(process, 2 * number + 2)
            assert process.stop() == 0
    assert_first_in_order(process.said, USERS, 2 * len(faults))
    assert "stored as a dead letter" not in process.log
