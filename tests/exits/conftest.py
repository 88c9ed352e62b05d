"""Fixtures for events of processes that end: a real Kafka, and outboxes on real databases."""

from __future__ import annotations

import pytest

from tests.services.bus import RealBus


@pytest.fixture
def bus(real_bus: RealBus) -> RealBus:
    """Return real services."""
    return real_bus
