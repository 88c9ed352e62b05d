"""What only real Kafka shows."""

from __future__ import annotations

import pytest

from tests.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry


@pytest.fixture
def real_bus(cluster: KafkaCluster, schema_registry: SchemaRegistry) -> RealBus:
    """Return real services."""
    return RealBus(cluster, schema_registry)
