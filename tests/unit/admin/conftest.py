"""Fixtures for the admin pages: a receiver of the service, and tables filled with rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED

from tests.support.admin_data import Amounts, fill


def award(**_: Any) -> None:
    """Accept an event."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """Return the name of a receiver that is connected in this process."""
    CERTIFICATE_CREATED.connect(award)
    yield f"{__name__}.award"
    CERTIFICATE_CREATED.disconnect(award)


@pytest.fixture
def filled() -> Iterator[None]:
    """Fill the tables with rows of every kind."""
    with override_settings(EVENT_BUS_KAFKA_HEARTBEAT=10):
        fill("default", Amounts(days=1, every=60))
        yield
