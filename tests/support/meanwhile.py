"""Two receivers that dead letters are for, and what happens while one of them runs in a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from event_bus_kafka.sandbox import Sandbox
from tests.support.letters import service_with

FIRST, SECOND = f"{__name__}.first", f"{__name__}.second"

seen: list[str] = []
"""Who has run, in order."""
meanwhile: dict[str, Callable[[], Any]] = {}
"""Actions to take while ``first`` or ``second`` runs."""


def first(**_: Any) -> None:
    _run("first")


def second(**_: Any) -> None:
    _run("second")


def _run(name: str) -> None:
    seen.append(name)
    meanwhile.get(name, lambda: None)()


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    """Connect both."""
    seen.clear()
    meanwhile.clear()
    with service_with(sandbox, first, second):
        yield
