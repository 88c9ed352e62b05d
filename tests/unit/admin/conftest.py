"""A service with a receiver, for the admin pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openedx_events.learning.signals import CERTIFICATE_CREATED

from tests.support.admin_data import Amounts, fill


def award(**_: Any) -> None:
    """Accept an event."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """Return the name of a receiver of this process."""
    CERTIFICATE_CREATED.connect(award)
    yield f"{__name__}.award"
    CERTIFICATE_CREATED.disconnect(award)


@pytest.fixture
def filled() -> None:
    """Fill all tables with rows."""
    fill("default", Amounts(days=1, every=60))
