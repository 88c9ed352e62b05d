"""Relays and Kafka in trouble: what cannot be sent waits, the rest goes on, and all comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from event_bus_kafka.models import ParkedRecord
from event_bus_kafka.telemetry.events import RelayInterrupted, TopicHeld, TopicResumed
from tests.bus import RealBus
from tests.databases import Database
from tests.outbox.service import Service, until
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry
from tests.watching import watched

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture
def spread_service(
    three_brokers: KafkaCluster, schema_registry: SchemaRegistry, topic: str, database: Database
) -> Iterator[Service]:
    """Return a service on three brokers."""
    bus = RealBus(three_brokers, schema_registry)
    bus.create_topic(topic)
    with database.connected("default"), Service(bus=bus, topic=topic, entry=database.entry).configured() as service:
        yield service


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_topic_that_is_silent_is_held_and_disturbs_no_other(
    spread_service: Service, three_brokers: KafkaCluster
) -> None:
    """Case 24: below min.insync.replicas brokers take nothing and say nothing until the client gives up."""
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
    assert service.ids(len(sent)) == sent
    assert sorted(set(service.ids(30, silent))) == sorted(waiting)
    assert {event.topic for event in seen if isinstance(event, (TopicHeld, TopicResumed))} == {silent}
    assert not ParkedRecord.objects.exists()
