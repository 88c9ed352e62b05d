"""Each admin page needs a limited number of SQL statements, also with many rows in the tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from event_bus_kafka.admin import PAGES
from event_bus_kafka.models import PausedReceiver, ReplayRequest, Right
from event_bus_kafka.models.presence import look_again
from tests.support.admin_clients import client_with
from tests.support.admin_data import Amounts, fill, near_deletion
from tests.support.databases import Database, on_mysql_too
from tests.support.scale import LONG, scaled

pytestmark = pytest.mark.real

MOST = 15
"""The maximal number of SQL statements that a page may run."""
AMOUNTS = (
    Amounts(
        workers=50, relays=2, event_types=10, every=1, letters=100_000, outbox=1_000_000, parked=10_000, requests=100
    )
    if LONG
    else Amounts()
)
TYPE = "org.openedx.learning.certificate.created.v1"


def urls() -> list[str]:
    """
    Return the URLs of all pages that answer GET requests. Pages of rows that the test does not create are left out.
    """
    found = [page.url() for page in _pages()]
    overview, _, requests, _, workers, events = _pages()
    return [
        *found,
        f"{overview.url()}?period=day",
        f"{overview.url()}?period=week",
        requests.url("one", ReplayRequest.objects.latest("pk").pk),
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
def test_each_admin_page_runs_at_most_fifteen_sql_statements(database: Database) -> None:
    with database.connected("default") as connection:
        fill("default", AMOUNTS)
        near_deletion()
        look_again(connection)
        PausedReceiver.objects.pause("app.award", at=datetime.now(UTC))
        client = client_with(*Right)
        for url in urls():
            count, seconds = _measured(connection, client, url)
            print(f"{database.vendor:10} {count:3} statements {seconds * 1000:6.0f} ms  {url}")
            assert count <= MOST, url


def _measured(connection: BaseDatabaseWrapper, client: Client, url: str) -> tuple[int, float]:
    """
    Request a page once, or five times in long runs. Return the largest number of SQL statements of a request, and the
    shortest time in seconds that the database took for a request. An additional first request is not counted, because
    it also finds out which tables exist.
    """
    assert client.get(url).status_code == 200, url
    counts, seconds = [], []
    for _ in range(scaled(1, long=5)):
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        counts.append(len(captured))
        seconds.append(sum(float(one["time"]) for one in captured.captured_queries))
    return max(counts), min(seconds)
