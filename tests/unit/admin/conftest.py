"""A service with a receiver, for pages to show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openedx_events.learning.signals import CERTIFICATE_CREATED

from tests.support.admin_data import Amounts, fill


def award(**_: Any) -> None:
    """Listen."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """Return the name of a receiver of this process."""
    CERTIFICATE_CREATED.connect(award)
    yield f"{__name__}.award"
    CERTIFICATE_CREATED.disconnect(award)


@pytest.fixture
def filled() -> None:
    """Have something of everything in the tables."""
    fill("default", Amounts(days=1, every=60))
