"""Fixtures for tests of processes that end. Real servers receive the events of these processes."""

from __future__ import annotations

import pytest

from tests.services.bus import RealBus


@pytest.fixture
def bus(real_bus: RealBus) -> RealBus:
    """Return the bus of a real Kafka and a real schema registry."""
    return real_bus
