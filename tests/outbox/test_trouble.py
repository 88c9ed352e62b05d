"""
Kafka fails and recovers while services send events directly. Every event arrives. A relay sends the events that were
spilled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import nan
from statistics import quantiles
from time import monotonic
from typing import Any

import psutil
import pytest

from event_bus_kafka.models import OutboxRecord
from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.services.faulty_registry import Fault, faulty
from tests.services.guarded import GuardedKafka
from tests.services.kafka import KafkaCluster
from tests.services.proxy import Proxy
from tests.services.schema_registry import SchemaRegistry
from tests.support.databases import Database
from tests.support.outbox_service import Service
from tests.support.scale import scaled

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(600)]

SEND_UNTIL_TOLD = """
import sys, threading
from openedx_events.learning.signals import CERTIFICATE_CREATED
from django.db import transaction
from tests.support.examples_of import certificate
from tests.projects.certificates.apps import say
told, users = threading.Event(), 0
threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
while not told.wait(0.02):
    with transaction.atomic():
        CERTIFICATE_CREATED.send_event(certificate=certificate(7, grade=str(users)))
    say("sent", user=users)
    users += 1
"""
QUICK = {
    "EVENT_BUS_PRODUCER_MODE": "on-commit",
    "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 2,
    "EVENT_BUS_KAFKA_POLL_INTERVAL_SEC": 0.1,
    "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"socket.timeout.ms": 1_000},
}


def sending(service: Service, **changes: Any) -> ServiceProcess:
    return ServiceProcess(code=SEND_UNTIL_TOLD, settings=service.process_settings(**QUICK | changes))


def more(process: ServiceProcess, text: str) -> None:
    """Wait until the log contains four more lines with ``text``."""
    before = process.log.count(text)
    process.wait_for(lambda: process.log.count(text) > before + 3, f"for more of {text!r}")


def endure(process: ServiceProcess, faults: list[Callable[[], Any]]) -> None:
    """
    Cause each fault in turn. Wait until events are spilled during the fault; after the fault wait until events are sent
    directly again.
    """
    more(process, "Message delivered")
    for fault in faults:
        with fault():
            more(process, "kept in the outbox")
        more(process, "Message delivered")


def all_arrived(service: Service, processes: list[ServiceProcess], what: str = "sent") -> None:
    for process in processes:
        process.tell()
        assert process.end() == 0
        assert "event is lost" not in process.log
    sent = sum(process.heard(what)[-1]["user"] + 1 for process in processes)
    kept = OutboxRecord.objects.count()
    service.drain()
    assert len(set(service.all_ids())) == sent
    print(f"{sent} events, {kept} of them through the outbox, {service.bus.end_of(service.topic) - sent} twice")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_case_24_25_28_every_event_arrives_although_brokers_networks_and_logins_fail(
    guarded: GuardedKafka, schema_registry: SchemaRegistry, database: Database, group: str
) -> None:
    bus = RealBus(guarded.cluster, schema_registry)
    bus.create_topic(topic := f"direct-{database.vendor}")
    guarded.add_user(user := f"user-{group}")
    guarded.allow(user, topic=topic, group=group)
    way = guarded.through_proxy

    @contextmanager
    def killed() -> Iterator[None]:
        guarded.cluster.kill(1)
        yield
        guarded.cluster.start(1)

    @contextmanager
    def logged_out() -> Iterator[None]:
        guarded.remove_user(user)
        yield
        guarded.add_user(user)

    with database.connected("default"), Proxy(way.port, way.advertised) as proxy:

        @contextmanager
        def broken(**attributes: Any) -> Iterator[None]:
            for name, value in attributes.items():
                setattr(proxy, name, value)
            yield
            proxy.silent, proxy.latency = False, 0.0

        with Service(bus=bus, topic=topic, entry=database.entry).configured() as service:
            through_proxy = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": way.address}
            scram = guarded.options("SCRAM", user)
            logged_in = {
                "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": scram["bootstrap.servers"],
                "EVENT_BUS_KAFKA_CLIENT_OPTIONS": scram,
            }
            with sending(service, **through_proxy) as first, sending(service, **logged_in) as second:
                endure(first, [killed, lambda: broken(silent=True), lambda: broken(latency=3.0)])
                proxy.forget()  # half open connections are noticed at the socket timeout
                more(first, "Message delivered")
                endure(second, [logged_out])
                all_arrived(service, [first, second])


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_case_24_every_event_arrives_although_too_few_replicas_were_available_for_a_while(
    three_brokers: KafkaCluster, schema_registry: SchemaRegistry, database: Database
) -> None:
    """For a while, fewer replicas than min.insync.replicas are available."""
    bus = RealBus(three_brokers, schema_registry)
    bus.create_topic(topic := f"direct-{database.vendor}")

    @contextmanager
    def two_killed() -> Iterator[None]:
        three_brokers.kill(1)
        three_brokers.kill(2)
        yield
        three_brokers.start(1, 2)

    with database.connected("default"):
        with Service(bus=bus, topic=topic, entry=database.entry).configured() as service:
            with sending(service) as process:
                endure(process, [two_killed])
                all_arrived(service, [process])


REQUESTS = """
import itertools, sys, threading, time
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED
from tests.support.examples_of import certificate
from tests.projects.certificates.apps import say
told, revoke = threading.Event(), threading.Event()
def listen():
    for line in sys.stdin:
        revoke.set()
    told.set()
threading.Thread(target=listen, daemon=True).start()
for number in itertools.count():
    began = time.monotonic()
    with transaction.atomic():
        ContentType.objects.create(app_label="requests", model=str(number))
        signal = CERTIFICATE_REVOKED if revoke.is_set() and number % 2 else CERTIFICATE_CREATED
        signal.send_event(certificate=certificate(number))
    say("request", user=number, began=began, took=time.monotonic() - began)
    if told.wait(0.01):
        break
"""


def test_the_delay_of_web_requests_while_kafka_and_registry_are_silent_is_printed(
    guarded: GuardedKafka, schema_registry: SchemaRegistry, database: Database
) -> None:
    """The schemas of one event type are cached. The schemas of the other event type are requested during the outage."""
    bus = RealBus(guarded.cluster, schema_registry)
    bus.create_topic(topic := f"paying-{database.vendor}")
    way, times, sizes = guarded.through_proxy, [0.0] * 3, [0.0] * 2
    with (
        database.connected("default"),
        Proxy(way.port, way.advertised) as proxy,
        faulty(schema_registry.url) as registry,
        Service(bus=bus, topic=topic, entry=database.entry).configured() as service,
    ):
        changes = {
            "EVENT_BUS_PRODUCER_MODE": "on-commit",
            "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": scaled(2, long=30),
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": way.address,
            "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": registry.url,
            "INSTALLED_APPS": [
                "django.contrib.contenttypes",
                "tests.projects.certificates",
                "openedx_events",
                "event_bus_kafka",
            ],
        }
        with ServiceProcess(code=REQUESTS, settings=service.process_settings(**changes)) as process:
            memory = psutil.Process(process.pid).memory_info
            more(process, "Message delivered")
            times[0] = monotonic()
            process.wait_for(lambda: monotonic() > times[0] + scaled(1, long=20))
            sizes[0], times[1] = memory().rss / 2**20, monotonic()
            proxy.silent, registry.fault = True, Fault.SLOW
            process.write("revoke")
            process.wait_for(lambda: monotonic() > times[1] + scaled(4, long=300), seconds=2 * scaled(60, long=300))
            sizes[1], times[2] = memory().rss / 2**20, monotonic()
            proxy.silent, registry.fault = False, None
            proxy.reset()
            more(process, "Message delivered")
            all_arrived(service, [process], "request")
    took = [(line["began"], line["took"] * 1000) for line in process.heard("request")]
    normal = [one for began, one in took if times[0] < began < times[1]]
    first = [one for began, one in took if times[1] < began < times[1] + 1]
    away = [one for began, one in took if times[1] + 1 < began < times[2]]
    print(
        f"{database.vendor}: p99 {p99(normal):.1f} ms; "
        f"first second without servers {max(first, default=nan):.0f} ms at most; then p99 {p99(away):.1f} ms, "
        f"{max(away):.0f} ms at most; MB {sizes[0]:.0f} … {sizes[1]:.0f}"
    )


def p99(values: list[float]) -> float:
    return quantiles(values, n=100)[-1]
