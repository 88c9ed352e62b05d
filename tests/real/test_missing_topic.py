"""
A topic does not exist, and Kafka does not create it. These tests need a real Kafka because the sandbox creates topics
on first use.
"""

from __future__ import annotations

import pytest

from tests.services.bus import CREATED, RealBus
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry
from tests.support.sending import sender

pytestmark = pytest.mark.real


def test_case_23_a_missing_topic_causes_one_logged_error_and_events_for_other_topics_are_sent(
    cluster: KafkaCluster, schema_registry: SchemaRegistry
) -> None:
    bus = RealBus(cluster, schema_registry)
    bus.create_topic("there")
    settings = bus.settings("missing", EVENT_BUS_KAFKA_DELIVERY_TIMEOUT=3)
    settings["EVENT_BUS_PRODUCER_CONFIG"][CREATED] |= bus.settings("there")["EVENT_BUS_PRODUCER_CONFIG"][CREATED]
    with sender(settings, [1]) as process:
        assert process.end() == 0
    assert process.log.count("Error delivering message to Kafka event bus.") == 1
    assert len(bus.event_ids("there", 1)) == 1
