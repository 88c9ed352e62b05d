"""No page asks the database more than a few times, however much there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from event_bus_kafka.admin import PAGES
from event_bus_kafka.models import Right
from event_bus_kafka.models.presence import look_again
from tests.support.admin_clients import client_with
from tests.support.admin_data import Amounts, fill
from tests.support.databases import Database, on_mysql_too
from tests.support.scale import LONG

MOST = 15
"""Statements of a page."""
LONGEST = 0.3
"""Seconds that the database takes for a page, of what a service has after a bad week."""
AMOUNTS = (
    Amounts(workers=50, relays=2, event_types=10, every=1, letters=100_000, outbox=1_000_000, parked=10_000)
    if LONG
    else Amounts()
)
TYPE = "org.openedx.learning.certificate.created.v1"


def urls() -> list[str]:
    """Return the URL of each page that is reached by GET and needs no row of its own."""
    found = [page.url() for page in _pages()]
    overview, _, _, workers, events = _pages()
    return [
        *found,
        f"{overview.url()}?period=day",
        f"{overview.url()}?period=week",
        workers.url("group", "mail"),
        events.url("type", TYPE),
    ]


def _pages() -> list[Any]:
    return [admin.site.get_model_admin(model) for model in PAGES]


@pytest.fixture(autouse=True)
def service() -> Iterator[None]:
    topic = {"event_key_field": "certificate.user.id", "enabled": True}
    with override_settings(EVENT_BUS_PRODUCER_CONFIG={TYPE: {"certificates": topic}}, EVENT_BUS_KAFKA_HISTORY=7):
        yield


@pytest.mark.long
@on_mysql_too
def test_each_page_takes_few_statements(database: Database) -> None:
    with database.connected("default") as connection:
        fill("default", AMOUNTS)
        look_again(connection)
        client = client_with(*Right)
        for url in urls():
            count, seconds = _measured(connection, client, url)
            print(f"{database.vendor:10} {count:3} statements {seconds * 1000:6.0f} ms  {url}")
            assert count <= MOST, url
            assert not LONG or seconds <= LONGEST, url


def _measured(connection: BaseDatabaseWrapper, client: Client, url: str) -> tuple[int, float]:
    """Return how many statements a page takes, and their seconds, once it is known which tables there are."""
    assert client.get(url).status_code == 200, url
    with CaptureQueriesContext(connection) as captured:
        client.get(url)
    seconds = [float(one["time"]) for one in captured.captured_queries]
    return len(seconds), sum(seconds)
