"""The search finds all neglects that tables can show, on each database, and counts no rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext

from event_bus_kafka.operations.neglects import catalogue
from tests.support import neglected
from tests.support.databases import Database, on_mysql_too

pytestmark = [pytest.mark.real, on_mysql_too]
BY_TABLES = {kind.id for kind in catalogue.CATALOGUE if not kind.needs_kafka}


@pytest.fixture(autouse=True)
def connected(database: Database) -> Iterator[None]:
    with database.connected("default"):
        yield


def test_all_neglects_are_found_without_counting_rows() -> None:
    assert neglected.found() == {}
    neglected.neglect_everything()
    with neglected.clock_ahead(60), CaptureQueriesContext(connections["default"]) as asked:
        assert neglected.found().keys() == BY_TABLES
    statements = [one["sql"] for one in asked.captured_queries]
    assert len(statements) <= 20
    assert not [one for one in statements if "COUNT(" in one.upper()]


def test_neglects_are_found_before_all_tables_are_migrated() -> None:
    call_command("migrate", "event_bus_kafka", "0009", verbosity=0)
    neglected.pause(neglected.ago(days=2))
    neglected.waiting_row(neglected.ago(minutes=6))
    assert neglected.found().keys() == {"receiver-paused", "outbox-waits"}


def test_no_neglects_are_found_in_a_database_without_tables() -> None:
    call_command("migrate", "event_bus_kafka", "zero", verbosity=0)
    assert neglected.found() == {}
