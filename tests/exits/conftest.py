"""Where the events of processes that end go: a real Kafka, and outboxes on real databases."""

from __future__ import annotations

import itertools

import pytest

from tests.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry

_numbers = itertools.count(1)


@pytest.fixture
def bus(cluster: KafkaCluster, schema_registry: SchemaRegistry) -> RealBus:
    """Return a real Kafka and a real registry."""
    return RealBus(cluster, schema_registry)


@pytest.fixture
def topic(bus: RealBus) -> str:
    name = f"exits-{next(_numbers)}"
    bus.create_topic(name)
    return name
