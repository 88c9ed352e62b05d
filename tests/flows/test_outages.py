"""
While servers are unreachable, events wait. No event is lost or becomes a dead letter, and no process needs a restart.
"""

from __future__ import annotations

import pytest
from openedx_events.learning.signals import CERTIFICATE_REVOKED

from tests.projects.process import ServiceProcess
from tests.services.bus import Bus
from tests.services.faulty_registry import Fault, faulty
from tests.support.dead_letters import OnTopic
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker


@pytest.mark.parametrize("fault", Fault)
def test_case_20_events_wait_for_a_failing_registry_unless_their_schema_is_cached(
    bus: Bus, topic: str, group: str, fault: Fault
) -> None:
    """
    At first the worker has cached no schema. Later it has cached the schema of one event type, and processes the events
    of this type.
    """
    kept = OnTopic(bus, group).create()
    send(bus, topic, certificate(1))
    with faulty(bus.schema_registry_url) as registry:
        registry.fault = fault
        url, timeout = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": registry.url}, {"EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 1}
        settings = kept.settings | url | timeout
        with worker(bus, topic, group, "note", **settings) as process:
            process.wait_for_log("(hold)")
            assert process.users("note") == []
            registry.fault = None
            process.wait_for_users("note", [1])
            registry.fault = fault
            send(bus, topic, certificate(2))
            send(bus, topic, certificate(3), signal=CERTIFICATE_REVOKED)
            process.wait_for_users("note", [1, 2])
            process.wait_for_log("partition=0, offset=2,")
            registry.fault = None
            process.wait_for_users("note", [1, 2, 3])
            assert process.stop() == 0
    assert bus.committed(group, topic) == 3
    assert kept.read(0) == []


def test_a_worker_that_waits_for_an_unreachable_broker_can_be_stopped_with_exit_code_0(group: str) -> None:
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
    }
    with ServiceProcess("consume_events", "-t", "t", "-g", group, settings=settings) as process:
        process.wait_for_log("Kafka consumer: BrokerError: _ALL_BROKERS_DOWN")
        assert process.stop() == 0


def test_case_23_a_worker_reads_a_topic_that_is_created_after_its_start(bus: Bus, group: str) -> None:
    topic = f"late-{group}"
    with worker(bus, topic, group, "note") as process:
        process.wait_for_log("Running consumer")
        bus.create_topic(topic)
        send(bus, topic, certificate(1))
        process.wait_for_users("note", [1])
        assert process.stop() == 0
