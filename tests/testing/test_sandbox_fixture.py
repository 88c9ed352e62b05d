"""
With the fixture ``event_bus_sandbox``, each test has separate settings, and all tests share the brokers and the
registry.
"""

from __future__ import annotations

from typing import Any

from openedx_events.event_bus import get_producer
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.sandbox import Sandbox
from tests.support.examples_of import certificate
from tests.testing.project import Project


def test_sent_records_can_be_read_from_the_sandbox(event_bus_sandbox: Sandbox, settings: Any) -> None:
    settings.EVENT_BUS_TOPIC_PREFIX = "fixture"
    CERTIFICATE_CREATED.send_event(certificate=certificate(7))
    get_producer().prepare_for_shutdown()
    (record,) = event_bus_sandbox.records("fixture-certificates", 1)
    assert record.key is not None
    assert record.key[5:] == b"\x0e"
    assert dict(record.headers)["ce_type"] == CERTIFICATE_CREATED.event_type.encode()


def test_reading_an_empty_topic_ends_after_the_given_seconds(event_bus_sandbox: Sandbox) -> None:
    event_bus_sandbox.create_topic("in-vain", 2)
    assert event_bus_sandbox.records("in-vain", 1, seconds=0.5) == []


def test_injected_errors_are_removed_after_the_test(project: Project) -> None:
    project.write(
        "tests/test_left_over.py",
        """
        from confluent_kafka import Producer
        from django.conf import settings

        def test_first(event_bus_sandbox):
            assert settings.EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS == event_bus_sandbox.bootstrap_servers
            event_bus_sandbox.fail_next("Produce", "TOPIC_AUTHORIZATION_FAILED", times=9)

        def test_second():
            assert not hasattr(settings, "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS")

        def test_third(event_bus_sandbox):
            said = []
            producer = Producer({"bootstrap.servers": event_bus_sandbox.bootstrap_servers, "log_level": 0})
            producer.produce("t", b"v", on_delivery=lambda error, _: said.append(error))
            producer.flush(10)
            assert said == [None]
        """,
    )
    code, output = project.pytest("tests/test_left_over.py", "-p", "no:randomly")
    assert code == 0, output
