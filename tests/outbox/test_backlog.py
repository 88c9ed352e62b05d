"""A relay shows the number of waiting rows on its metrics port. Counting the rows costs a limited amount of work."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.outbox.backlog import BriefBacklog
from tests.outbox.test_statements import handled, read_by
from tests.services.process import free_port
from tests.support.databases import Database, on_mysql_too
from tests.support.outbox_service import Service, until
from tests.support.scraping import Numbers, page, scraped_until

pytestmark = pytest.mark.real

_ROWS = OutboxRecord._meta.db_table
_COLUMNS = [one.column for one in OutboxRecord._meta.concrete_fields if one.column and not one.primary_key]
_HANDLED = "SHOW SESSION STATUS LIKE 'Handler_read%'"


def test_a_relay_serves_health_and_metrics_on_its_port(service: Service, database: Database) -> None:
    missing, port = f"{service.topic}-missing", free_port()
    settings = service.settings_for(service.topic, missing)
    service.emit()
    for user in range(3):
        service.emit(user, topic=missing)
    with service.relay_process("--health-port", str(port), **settings) as relay:
        waiting: Numbers = {("relay_ready", "default"): 1.0}
        waiting |= {("outbox_depth", "default", service.topic): 0.0, ("outbox_depth", "default", missing): 3.0}
        found = scraped_until(port, waiting)
        assert found["relay_topic_held_seconds", "default", missing] >= 0
        assert 0 < found["outbox_oldest_seconds", "default"] < 3_600
        assert (page(port, "/live"), page(port, "/ready")) == ((200, "alive\n"), (200, "ready\n"))
        connection.close()
        database.server.stop()
        until(lambda: page(port, "/ready")[0] == 503)
        assert page(port, "/ready")[1].strip(), "the answer says why"
        assert page(port, "/live") == (200, "alive\n")
        database.server.start()
        until(lambda: page(port, "/ready") == (200, "ready\n"))
        assert relay.stop() == 0, relay.log


@on_mysql_too
def test_waiting_rows_are_counted_up_to_a_hundred_thousand(service: Service, database: Database) -> None:
    """
    Relays count every ten seconds. Without the limit, each count of a million rows would occupy the server for a
    second.
    """
    topics = [service.topic, f"{service.topic}-other"]
    for topic in topics:
        service.emit(topic=topic)
    OutboxRecord.objects.update(key=b"", body=None, headers=b"")
    columns = ", ".join(connection.ops.quote_name(column) for column in _COLUMNS)
    with connection.cursor() as cursor:
        while OutboxRecord.objects.count() < 120_000:
            cursor.execute(f"INSERT INTO {_ROWS} ({columns}) SELECT {columns} FROM {_ROWS}")
    found, entries = _looked(database)
    assert found.depth.keys() <= set(topics)
    assert (sum(found.depth.values()), found.parked) == (100_000, 0)
    most = (
        100_000 if database.vendor == "postgresql" else 200_000
    )  # MariaDB and MySQL also look up the topic of each counted row
    assert entries < most + 1_000


def _looked(database: Database) -> tuple[BriefBacklog, int]:
    """Return the counts, and the number of table and index entries that the server read to compute the counts."""
    asked: list[str] = []

    def note(execute: Any, sql: str, *arguments: Any) -> Any:
        asked.append(sql)
        return execute(sql, *arguments)

    with connection.cursor() as cursor:

        def lines(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        before = 0 if database.vendor == "postgresql" else handled(lines(_HANDLED))
        with connection.execute_wrapper(note):
            found = BriefBacklog.read(connection)
        if database.vendor == "postgresql":
            return found, sum(read_by(line) for sql in asked for (line,) in lines(f"EXPLAIN (ANALYZE) {sql}"))
        return found, handled(lines(_HANDLED)) - before
