"""The servers that receive the events of ending processes: a real Kafka, and real databases for the outbox."""

from __future__ import annotations

import pytest

from tests.services.bus import RealBus


@pytest.fixture
def bus(real_bus: RealBus) -> RealBus:
    """Return real services."""
    return real_bus
