"""
Fixtures for tests of the testing kit: the settings of a service that sends certificates, and the events that the kit
captures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from event_bus_kafka.testing import CapturedEvents, captured_events
from tests.services.bus import CREATED
from tests.testing.project import Project

ENTRY = {"event_key_field": "certificate.user.id", "enabled": True}
CONFIG: dict[str, Any] = {CREATED: {"certificates": ENTRY}}


@pytest.fixture(autouse=True)
def _configured(settings: Any) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = CONFIG


@pytest.fixture
def events() -> Iterator[CapturedEvents]:
    with captured_events() as events:
        yield events


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a service that consists of the code in docs/testing.rst."""
    return Project(tmp_path)
