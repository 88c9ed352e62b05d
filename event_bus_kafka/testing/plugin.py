"""The pytest plugin, which imports neither Django nor Kafka before a fixture is used."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from event_bus_kafka.sandbox import Sandbox
    from event_bus_kafka.testing.captured import CapturedEvents

_CAPTURED = pytest.StashKey["CapturedEvents"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("event bus").addoption(
        "--update-event-schemas",
        action="store_true",
        help="write the schema files that assert_schema_unchanged and assert_schema_compatible compare with",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update-event-schemas"):
        os.environ["EVENT_BUS_KAFKA_UPDATE_SCHEMAS"] = "1"


@pytest.fixture
def captured_events(request: pytest.FixtureRequest) -> Iterator[CapturedEvents]:
    """Capture the events that the service sends through its event bus. The test fails if an event cannot be sent."""
    from event_bus_kafka.testing.capturing import capture

    with capture() as events:
        request.node.stash[_CAPTURED] = events
        yield events


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """
    If an event could not be sent, raise the error at the end of the test itself. Otherwise only the teardown of the
    test would fail.
    """
    result = yield
    if _CAPTURED in item.stash:
        item.stash[_CAPTURED].raise_unsendable()
    return result


@pytest.fixture(scope="session")
def _sandbox_of_session() -> Iterator[Sandbox]:
    from event_bus_kafka.sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def event_bus_sandbox(_sandbox_of_session: Sandbox, settings: Any) -> Iterator[Sandbox]:
    """
    Yield the sandbox of this test run. During the test Django's settings name the sandbox's addresses. Needs
    pytest-django.
    """
    from event_bus_kafka.testing.handler import handler_connected

    for name, value in _sandbox_of_session.settings.items():
        setattr(settings, name, value)
    with handler_connected():
        yield _sandbox_of_session
    _sandbox_of_session.mend()
