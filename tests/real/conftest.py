"""These tests run on real services alone."""

from __future__ import annotations

import pytest

from tests.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry


@pytest.fixture
def bus(cluster: KafkaCluster, schema_registry: SchemaRegistry) -> RealBus:
    """Return a real Kafka and a real registry."""
    return RealBus(cluster, schema_registry)
