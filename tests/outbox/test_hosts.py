"""Moments are stored and read correctly on each database server."""

from __future__ import annotations

from datetime import UTC, datetime

from django.test import override_settings

from event_bus_kafka.models import PausedReceiver
from tests.support.databases import Database


def test_c7_a_database_returns_the_same_time_that_was_written_if_use_tz_is_false(database: Database) -> None:
    """PostgreSQL has a column type with a time zone. MariaDB and MySQL have none."""
    moment = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)
    with override_settings(USE_TZ=False, TIME_ZONE="America/New_York"), database.connected("real"):
        PausedReceiver.objects.using("real").create(receiver="a.b", paused_at=moment)
        assert PausedReceiver.objects.using("real").get(paused_at=moment).paused_at == moment
