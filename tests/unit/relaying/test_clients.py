"""The Kafka clients of a relay get their options from the settings and from the limits of topics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from event_bus_kafka.assembly import relaying
from event_bus_kafka.kafka.admin import Admin
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.sandbox import Sandbox


@pytest.fixture
def servers() -> Iterator[dict[str, Any]]:
    with Sandbox() as sandbox:
        yield {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers}


def noted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return a list. When a producer is created, its options are appended to this list."""
    made = []

    def make(options: dict[str, Any]) -> Producer:
        made.append(options)
        return Producer(options)

    monkeypatch.setattr(relaying, "Producer", make)
    return made


def test_a_row_without_a_topic_name_does_not_prevent_the_creation_of_the_client(servers: dict[str, Any]) -> None:
    with override_settings(**servers):
        assert relaying._common(relaying.relay_options(), {""}).producer.failure is None


@pytest.mark.parametrize(("given", "used"), [(200_000, 50_000), ("10000", 10_000), (None, 50_000)])
def test_s8_batch_size_is_at_most_the_smallest_max_message_bytes_of_the_topics(
    servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, given: object, used: int
) -> None:
    made = noted(monkeypatch)
    monkeypatch.setattr(Admin, "largest_requests", lambda *_, **__: {"small": 50_000, "large": 5_000_000})
    options = {} if given is None else {"batch.size": given}
    with override_settings(**servers, EVENT_BUS_KAFKA_PRODUCER_OPTIONS=options):
        relaying._common(relaying.relay_options(), {"small", "large"})
    assert [(one["batch.size"], one["message.max.bytes"]) for one in made] == [(used, 5_000_000)]


@pytest.mark.parametrize(("limit", "used"), [(2**31 - 1, 1_000_000_000), (0, 1_000)])
def test_s14_a_topic_limit_outside_the_range_of_the_client_is_clamped(
    servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, limit: int, used: int
) -> None:
    made = noted(monkeypatch)
    monkeypatch.setattr(Admin, "largest_requests", lambda *_, **__: {"odd": limit})
    with override_settings(**servers):
        relaying._common(relaying.relay_options(), {"odd"})
    assert [one["message.max.bytes"] for one in made] == [used]
