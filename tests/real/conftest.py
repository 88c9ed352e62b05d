"""Fixtures of tests that need real services."""

from __future__ import annotations

import pytest

from tests.services.bus import RealBus


@pytest.fixture
def bus(real_bus: RealBus) -> RealBus:
    """Return real services."""
    return real_bus
