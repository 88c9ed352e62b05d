"""Fixtures: a browser, and users of a site that runs in the test's process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.test import override_settings
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from event_bus_kafka.models import Right
from event_bus_kafka.sandbox import Sandbox
from tests.browser.logging_in import log_in
from tests.services.browser import Browser
from tests.services.bus import RealBus
from tests.support.admin_clients import staff_with

Visit = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser that all tests of a file share."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def bus(real_bus: RealBus) -> RealBus:
    """
    Return a bus with a real Kafka and a real schema registry. The workers of a test use the bus; the admin pages do
    not.
    """
    return real_bus


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer, sandbox: Sandbox) -> Iterator[Visit]:
    """
    Return a function that logs in a user with the given rights and yields the index page of the admin. Scripts of the
    site run only if ``scripts`` is true; the accessibility checker axe always runs.
    """

    @contextmanager
    def visit(*rights: Right, scripts: bool = False) -> Iterator[Page]:
        user = staff_with(*rights)
        with browser.page(scripts=scripts) as page:
            log_in(page, f"{live_server.url}/admin/", user.get_username())
            yield page

    with override_settings(
        EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url,
        EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=sandbox.bootstrap_servers,
        EVENT_BUS_TOPIC_PREFIX="prod",
    ):
        yield visit
