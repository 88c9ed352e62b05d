"""Two receivers for replays of dead letters. Tests can run functions while one of the receivers runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from event_bus_kafka.sandbox import Sandbox
from tests.support.letters import service_with

FIRST, SECOND = f"{__name__}.first", f"{__name__}.second"

seen: list[str] = []
"""Names of the receivers that have run, in the order of their runs."""
meanwhile: dict[str, Callable[[], Any]] = {}
"""A function for each receiver, by the name ``first`` or ``second``. The receiver calls its function while it runs."""


def first(**_: Any) -> None:
    _run("first")


def second(**_: Any) -> None:
    _run("second")


def _run(name: str) -> None:
    seen.append(name)
    meanwhile.get(name, lambda: None)()


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    """Connect both receivers while the test runs."""
    seen.clear()
    meanwhile.clear()
    with service_with(sandbox, first, second):
        yield
