"""
A service fills its cache from a compacted topic, and can rebuild the cache from this topic (use case 8b of the tour in
examples/).
"""

from __future__ import annotations

from random import Random
from time import monotonic

import pytest
from django.test import override_settings
from openedx_events.event_bus import get_producer
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import send_tombstone
from event_bus_kafka.testing.handler import handler_connected
from tests.projects.process import ServiceProcess
from tests.real.test_gaps import COMPACTED
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.support.examples_of import certificate
from tests.support.workers import worker

pytestmark = pytest.mark.real

LAST = 99
"""
Id of the user in events that are sent only so that Kafka compacts the events before them. Kafka does not compact the
segment to which it writes.
"""


def change(topic: str, source: dict[int, str], *, times: int, chance: Random) -> None:
    """Insert, update and delete rows of ``source`` at random, and send an event for each change."""
    for number in range(times):
        user = chance.randrange(8)
        if user in source and chance.random() < 0.4:
            del source[user]
            send_tombstone(CERTIFICATE_CREATED, topic, user)
        else:
            source[user] = str(number)
            CERTIFICATE_CREATED.send_event(certificate=certificate(user, grade=source[user]))


def cache_of(process: ServiceProcess) -> dict[int, str]:
    """Return the contents of a service's cache."""
    cache: dict[int, str] = {}
    for line in process.said:
        if line["what"] == "kept":
            cache[line["user"]] = line["grade"]
        else:
            cache.pop(line["user"], None)
    return cache


def once_compacted(bus: RealBus, topic: str, sent: int) -> None:
    """
    Send events until Kafka has removed all replaced records. The events are necessary because Kafka does not compact
    the segment to which it currently writes.
    """
    deadline = monotonic() + 60
    while True:
        CERTIFICATE_CREATED.send_event(certificate=certificate(LAST))
        if sum((one.offset() or 0) < sent for one in bus.records(topic, sent, seconds=1)) <= 8:
            return
        assert monotonic() < deadline, "Kafka did not compact the topic"


def wait_for_all(bus: RealBus, process: ServiceProcess, topic: str, group: str) -> None:
    process.wait_for(lambda: process.said, "for the group's first record")  # until then the group has no coordinator
    end = bus.end_of(topic)
    process.wait_for(lambda: bus.committed(group, topic) == end, "for the end of the topic")


def test_a_cache_equals_the_source_after_it_is_rebuilt_from_a_compacted_topic(
    bus: RealBus, cluster: KafkaCluster, group: str
) -> None:
    topic = f"cached-{group}"
    cluster.create_topic(topic, config=COMPACTED)
    source: dict[int, str] = {}
    patience = {"EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30, "EVENT_BUS_KAFKA_SEND_TIMEOUT": 30}
    with override_settings(**bus.settings(topic, EVENT_BUS_PRODUCER_MODE="immediate", **patience)), handler_connected():
        with worker(bus, topic, group, "cache.keep") as process:
            change(topic, source, times=60, chance=Random(12))
            get_producer().prepare_for_shutdown()
            wait_for_all(bus, process, topic, group)
            assert cache_of(process) == source
            assert process.stop() == 0
        once_compacted(bus, topic, 60)
        get_producer().prepare_for_shutdown()
    with worker(bus, topic, f"{group}-anew", "cache.keep") as process:
        wait_for_all(bus, process, topic, f"{group}-anew")
        assert cache_of(process) == source | {LAST: certificate().grade}
        assert len(process.heard("dropped")) == 8 - len(source) == 4
        assert {line["topic"] for line in process.heard("dropped")} == {topic}
        assert process.stop() == 0
