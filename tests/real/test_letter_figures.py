"""Each page of dead letters runs at most fifteen SQL statements, also with 100,000 letters. Times are only printed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from event_bus_kafka.models import DeadLetter, Right
from event_bus_kafka.models.presence import look_again
from event_bus_kafka.sandbox import Sandbox
from tests.support.admin_clients import client_with
from tests.support.databases import Database, on_mysql_too
from tests.support.letters import FAILED_AT, multiply, record_of, stored
from tests.support.scale import scaled

pytestmark = [pytest.mark.real, pytest.mark.long, on_mysql_too]

LETTERS = scaled(300, long=100_000)
MOST = 15
"""The maximal number of SQL statements that a page may run."""
LIST = "/admin/event_bus_kafka/deadletter/"
AWARD, MAIL = "credentials.receivers.award", "mail.receivers.send"


@pytest.fixture(autouse=True)
def registry(sandbox: Sandbox) -> Iterator[None]:
    with override_settings(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url):
        yield


def store_many() -> DeadLetter:
    """Store letters of the receivers ``AWARD`` (one letter in a hundred) and ``MAIL``; return a letter of ``AWARD``."""
    rare, common = stored(record_of(7, offset=0), AWARD), stored(record_of(8, offset=1), MAIL, group="other")
    for letter, numbers in ((rare, range(2, LETTERS, 100)), (common, range(3, LETTERS))):
        changes = (
            {"offset": number, "last_failed_at": FAILED_AT + timedelta(seconds=number % 50_000)} for number in numbers
        )
        multiply(letter, changes)
    return rare


@pytest.mark.timeout(1800)
def test_each_page_of_dead_letters_runs_at_most_fifteen_sql_statements(database: Database) -> None:
    with database.connected("default") as connection:
        look_again(connection)
        letter = store_many()
        _analyze(connection)
        client = client_with(*Right)
        asked: list[tuple[str, str, dict[str, Any]]] = [
            ("get", LIST, {}),
            ("get", LIST, {"group": "mail"}),
            ("get", LIST, {"group": "nobody"}),
            ("get", LIST, {"receiver": AWARD}),
            ("get", LIST, {"receiver": AWARD, "error": "value", "failed": "over-7d"}),
            ("get", LIST, {"error": "KeyError"}),
            ("get", LIST, {"topic": "prod-certificates", "after": f"{FAILED_AT.isoformat()}_999999999"}),
            ("get", LIST, {"state": "settled"}),
            ("get", f"{LIST}{letter.pk}/", {}),
            ("post", f"{LIST}search/", {"key": "7"}),
            ("post", f"{LIST}search/", {"key": "nobody"}),
            ("post", f"{LIST}search/", {"event_id": letter.event_id}),
            ("post", f"{LIST}search/", {"place": "prod-certificates:0:77"}),
            ("post", f"{LIST}discard/", {"scope": "all"}),
            ("post", f"{LIST}discard/", {"scope": "all", "receiver": AWARD}),
        ]
        for method, url, fields in asked:
            getattr(client, method)(url, fields)  # fills the caches of users, of content types and of the database
            with CaptureQueriesContext(connection) as captured:
                assert getattr(client, method)(url, fields).status_code == 200
            seconds = sum(float(query["time"]) for query in captured)
            print(f"{database.vendor}: {method} {url} {fields}: {len(captured)} statements, {seconds * 1000:.0f} ms")
            assert len(captured) <= MOST


def _analyze(connection: BaseDatabaseWrapper) -> None:
    """Update the server's statistics, because the server updates them automatically only after some time."""
    tables = ("event_bus_kafka_deadletter", "event_bus_kafka_deadletterentry")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ANALYZE {'' if connection.vendor == 'postgresql' else 'TABLE '}{table}")
            if connection.vendor != "postgresql":
                cursor.fetchall()
