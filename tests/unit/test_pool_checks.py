"""The checks warn if a connection pool is smaller than a worker needs (case C14)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from event_bus_kafka.checks.pools import check_pools

OURS = {"EVENT_BUS_CONSUMER": "event_bus_kafka.KafkaEventConsumer"}


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    yield
    connections.settings["default"]["OPTIONS"].pop("pool", None)


@pytest.mark.parametrize(
    ("pool", "lanes", "told"),
    [
        (None, 50, None),
        (True, 2, None),
        (True, 3, "has 4 connections, and a worker may need 5"),
        ({"min_size": 2, "max_size": 2}, 1, "has 2 connections, and a worker may need 3"),
        ({"min_size": 8}, 6, None),
        ({"min_size": 1, "max_size": 20}, 18, None),
        ({"min_size": 1, "max_size": 20}, 19, "may need 21"),
    ],
)
def test_c14_a_warning_appears_if_a_connection_pool_is_too_small_for_a_worker(
    pool: Any, lanes: int, told: str | None
) -> None:
    connections.settings["default"]["OPTIONS"]["pool"] = pool
    with override_settings(**OURS, EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY=lanes):
        found = check_pools()
    assert [one.id for one in found] == (["event_bus_kafka.W010"] if told else [])
    assert told is None or told in found[0].msg


def test_pools_are_not_checked_when_another_event_bus_is_configured() -> None:
    connections.settings["default"]["OPTIONS"]["pool"] = True
    with override_settings(EVENT_BUS_CONSUMER="other.Consumer", EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY=9):
        assert check_pools() == []
