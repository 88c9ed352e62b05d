"""If a relay cannot work, it does not start, and its command prints the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.models import OutboxShard
from tests.support.sqlite import on_sqlite

SHARDS = OutboxShard._meta.db_table
NOBODY = {
    "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
}


def test_the_error_names_the_missing_grant_if_the_relay_cannot_write_to_the_shards(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """SQLite has no grants. In this test, a trigger refuses the writes instead."""
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        OutboxShard.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TRIGGER refuses BEFORE INSERT ON {SHARDS} BEGIN SELECT RAISE(ABORT, 'denied'); END")
        with (
            override_settings(**NOBODY),
            pytest.raises(CommandError, match=f"GRANT SELECT, INSERT, UPDATE ON {SHARDS} TO") as ended,
        ):
            call_command("relay_events", "--once")
    assert ended.value.returncode == 1
