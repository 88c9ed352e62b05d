"""Fixtures of tests that need a real Kafka and a real schema registry."""

from __future__ import annotations

import pytest

from tests.services.bus import RealBus


@pytest.fixture
def bus(real_bus: RealBus) -> RealBus:
    """Return a bus that uses a real Kafka and a real schema registry."""
    return real_bus
