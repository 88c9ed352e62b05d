"""
Kafka or the registry is unreachable. Rows that cannot be sent wait, other rows are sent, and relays recover without
help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings

from event_bus_kafka.models import ParkedRecord
from event_bus_kafka.telemetry.events import RelayInterrupted, TopicHeld, TopicResumed
from tests.real.test_access import connection
from tests.services.bus import RealBus
from tests.services.faulty_registry import Fault, faulty
from tests.services.guarded import GuardedKafka
from tests.services.kafka import KafkaCluster
from tests.services.proxy import Proxy, cut, half_open, silence
from tests.services.schema_registry import SchemaRegistry
from tests.support.databases import Database
from tests.support.outbox_service import Service, until
from tests.support.watching import watched

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture
def spread_service(
    three_brokers: KafkaCluster, schema_registry: SchemaRegistry, topic: str, database: Database
) -> Iterator[Service]:
    """Return a service that uses three brokers."""
    bus = RealBus(three_brokers, schema_registry)
    bus.create_topic(topic)
    with database.connected("default"), Service(bus=bus, topic=topic, entry=database.entry).configured() as service:
        yield service


@pytest.fixture
def guarded_service(
    guarded: GuardedKafka, schema_registry: SchemaRegistry, topic: str, database: Database
) -> Iterator[Service]:
    """
    Return a service that uses a plain listener of a broker. A test may select another listener in the settings: a
    listener with a login, or the listener behind a proxy.
    """
    bus = RealBus(guarded.cluster, schema_registry)
    bus.create_topic(topic)
    with database.connected("default"), Service(bus=bus, topic=topic, entry=database.entry).configured() as service:
        yield service


def is_in_order(sent: list[str], arrived: list[str]) -> bool:
    """Return whether all events arrived in order. Repeated deliveries of an event may arrive later."""
    return list(dict.fromkeys(arrived)) == sent


def test_case_20_rows_wait_for_a_failing_registry_and_are_sent_after_its_recovery(service: Service) -> None:
    """
    For each topic the registry fails in a different way. All rows wait until the registry works again; then the relay
    sends them without help.
    """
    topics = {fault: f"{service.topic}-{fault.name.lower()}" for fault in Fault}
    with faulty(service.bus.schema_registry_url) as registry:
        changes = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": registry.url, "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 1}
        with override_settings(**service.settings_for(*topics.values()) | changes):
            with watched(TopicHeld, TopicResumed) as seen, service.relay() as relay:
                sent = {}
                for registry.fault, topic in topics.items():
                    service.bus.create_topic(topic)
                    sent[topic] = [service.emit(1, topic=topic) for _ in range(2)]
                    until(lambda topic=topic: topic in {event.topic for event in seen}, step=relay.step)  # type: ignore[misc]
                assert service.waiting == 2 * len(topics)
                registry.fault = None
                until(lambda: not service.waiting, step=relay.step)
    assert {topic: service.ids(2, topic) for topic in sent} == sent
    assert not ParkedRecord.objects.exists()


def test_case_23_a_missing_topic_is_held_and_does_not_delay_other_topics(service: Service) -> None:
    missing = f"{service.topic}-missing"
    waiting = [service.emit(1, topic=missing) for _ in range(3)]
    with watched() as seen, service.relay() as relay:
        until(lambda: any(isinstance(event, TopicHeld) for event in seen), step=relay.step)
        others = [service.emit(1) for _ in range(3)]
        until(lambda: service.waiting == 3, step=relay.step)
        assert service.ids(3) == others
        service.bus.create_topic(missing)
        until(lambda: not service.waiting, step=relay.step)
    assert service.ids(3, missing) == waiting
    assert [event.topic for event in seen if isinstance(event, TopicResumed)] == [missing]
    assert not ParkedRecord.objects.exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_case_23_all_rows_are_sent_after_their_topic_was_recreated_and_given_more_partitions(service: Service) -> None:
    cluster = service.bus._cluster
    with watched(TopicHeld) as seen, service.relay() as relay:
        service.emit()
        until(lambda: not service.waiting, step=relay.step)
        cluster.delete_topic(service.topic)
        sent = [service.emit(1) for _ in range(3)]
        until(lambda: bool(seen), step=relay.step)
        assert service.waiting == 3
        service.bus.create_topic(service.topic)
        until(lambda: not service.waiting, step=relay.step)
        assert is_in_order(sent, service.all_ids())
        cluster.grow_topic(service.topic, 2)
        for user in range(20):
            service.emit(user)
        until(lambda: not service.waiting, step=relay.step)
    assert not ParkedRecord.objects.exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_case_24_rows_are_sent_in_order_after_brokers_were_killed_and_restarted(
    spread_service: Service, three_brokers: KafkaCluster
) -> None:
    """At least one broker is always running. test_chaos.py covers the loss of all brokers."""
    service = spread_service

    def restart(number: int) -> None:
        three_brokers.terminate(number)
        three_brokers.start(number)

    actions: list[Callable[[], object]] = [
        lambda: three_brokers.kill(1),
        lambda: three_brokers.kill(2),
        lambda: three_brokers.start(1, 2),
        *(lambda number=number: restart(number) for number in (1, 2, 3)),
    ]
    sent: list[str] = []
    with watched(RelayInterrupted) as seen, service.relay() as relay:
        for action in actions:
            sent += [service.emit(1) for _ in range(5)]
            relay.step()
            action()
            sent += [service.emit(1) for _ in range(5)]
            relay.step()
        until(lambda: not service.waiting, step=relay.step)
    assert seen, "with fewer replicas than min.insync.replicas, brokers accept no record"
    assert is_in_order(sent, service.all_ids())
    assert not ParkedRecord.objects.exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_case_25_rows_are_sent_in_order_after_the_network_was_silent_or_cut(
    guarded_service: Service, guarded: GuardedKafka
) -> None:
    service, way = guarded_service, guarded.through_proxy
    faults: list[Callable[[Proxy], Any]] = [silence, cut, half_open]
    sent: list[str] = []
    with Proxy(way.port, way.advertised) as proxy, override_settings(EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=way.address):
        with service.relay() as relay:
            for fault in faults:
                sent.append(service.emit(1))
                until(lambda: not service.waiting, step=relay.step)
                with fault(proxy):
                    sent += [service.emit(1) for _ in range(3)]
                    relay.step()
                until(lambda: not service.waiting, step=relay.step)
    assert is_in_order(sent, service.all_ids())
    assert not ParkedRecord.objects.exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_slow_network_does_not_interrupt_a_relay(guarded_service: Service, guarded: GuardedKafka) -> None:
    """Each batch ends within its time limit, even if many rows wait in the outbox."""
    service, way = guarded_service, guarded.through_proxy
    sent = service.emit_many(6_000)
    with Proxy(way.port, way.advertised) as proxy, override_settings(EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=way.address):
        with watched(RelayInterrupted) as seen, service.relay() as relay:
            proxy.latency = 0.1  # delays each 64 kB: a thousand rows take a second
            until(lambda: not service.waiting, step=relay.step)
    assert not seen
    assert service.all_ids() == sent


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_case_28_rows_are_sent_after_a_revoked_login_or_right_is_restored(
    guarded_service: Service, guarded: GuardedKafka
) -> None:
    service, user, forbidden = guarded_service, f"relay-{guarded_service.topic}", f"{guarded_service.topic}-forbidden"
    service.bus.create_topic(forbidden)
    guarded.add_user(user)
    guarded.allow(user, topic=service.topic, group="none")
    login = connection(guarded.options("SCRAM", user))
    with override_settings(**service.settings_for(service.topic, forbidden) | login):
        with watched(RelayInterrupted, TopicHeld, TopicResumed) as seen, service.relay() as relay:
            waiting = service.emit(1, topic=forbidden)
            until(lambda: {event.topic for event in seen} == {forbidden}, step=relay.step)
            sent = [service.emit(1)]
            until(lambda: service.waiting == 1, step=relay.step)
            guarded.allow(user, topic=forbidden, group="none")
            until(lambda: not service.waiting, step=relay.step)

            guarded.remove_user(user)

            def emit_and_step() -> None:
                sent.append(service.emit(1))
                relay.step()

            # one row is in the batch, the next ones wait when a new client logs in
            until(lambda: sum(isinstance(event, RelayInterrupted) for event in seen) >= 3, step=emit_and_step)
            guarded.add_user(user)
            until(lambda: not service.waiting, step=relay.step)
    assert service.ids(1, forbidden) == [waiting]
    assert is_in_order(sent, service.all_ids())
    assert not ParkedRecord.objects.exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_case_24_a_topic_for_which_brokers_send_no_answer_does_not_delay_other_topics(
    spread_service: Service, three_brokers: KafkaCluster
) -> None:
    """
    If fewer replicas than min.insync.replicas are available, brokers neither accept nor refuse a record. The client
    reports a timeout.
    """
    service, silent = spread_service, f"{spread_service.topic}-silent"
    three_brokers.create_topic(silent, config={"min.insync.replicas": "3"})
    with override_settings(**service.settings_for(service.topic, silent)):
        with watched(RelayInterrupted, TopicHeld, TopicResumed) as seen, service.relay() as relay:
            sent = [service.emit(1)]
            until(lambda: not service.waiting, step=relay.step)
            three_brokers.kill(1)
            waiting = [service.emit(number % 7, topic=silent) for number in range(30)]

            def emit_and_step() -> None:
                sent.append(service.emit(1))
                relay.step()

            until(lambda: any(isinstance(event, TopicHeld) for event in seen), step=emit_and_step)
            begun = len(seen)
            for _ in range(100):
                sent.append(service.emit(1))
                until(lambda: service.waiting == len(waiting), step=relay.step)
            interruptions = [event for event in seen[begun:] if isinstance(event, RelayInterrupted)]
            tries = sum(isinstance(event, TopicHeld) for event in seen[begun:])
            assert len(interruptions) <= tries + 1, "others wait only while the topic is tried"
            assert all(event.unconfirmed <= 10 for event in interruptions), "it is tried with few records"
            three_brokers.start(1)
            until(lambda: not service.waiting, step=relay.step)
    assert is_in_order(sent, service.all_ids()), "rows in flight when the broker died may arrive twice"
    assert sorted(set(service.all_ids(silent))) == sorted(waiting)
    assert {event.topic for event in seen if isinstance(event, (TopicHeld, TopicResumed))} == {silent}
    assert not ParkedRecord.objects.exists()
