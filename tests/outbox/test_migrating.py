"""What waits in an outbox outlives an upgrade of its tables."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from event_bus_kafka.models import OutboxRecord
from tests.support.databases import Database

pytestmark = pytest.mark.real


def test_rows_that_wait_are_measured(database: Database) -> None:
    with database.connected("upgraded") as connection:
        call_command("migrate", "event_bus_kafka", "0005", database="upgraded", verbosity=0)
        columns = ", ".join(
            map(connection.ops.quote_name, ("shard", "topic", "key", "headers", "schema_id", "created"))
        )
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO event_bus_kafka_outboxrecord ({columns}) VALUES (1, 't', '12', '345', 1, 0)")
        call_command("migrate", "event_bus_kafka", database="upgraded", verbosity=0)
        assert [row.size for row in OutboxRecord.objects.using("upgraded")] == [5]
