"""The clients of a relay, as the settings and the topics' limits have them."""

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


def test_a_row_with_an_empty_topic_keeps_no_relay_from_its_client(servers: dict[str, Any]) -> None:
    with override_settings(**servers):
        assert relaying._common(relaying.relay_options(), {""}).producer.failure is None


@pytest.mark.parametrize(("given", "used"), [(200_000, 50_000), ("10000", 10_000), (None, 50_000)])
def test_s8_no_request_is_larger_than_a_topic_takes_whatever_the_settings_say(
    servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, given: object, used: int
) -> None:
    made = []

    def make(options: dict[str, Any]) -> Producer:
        made.append(options)
        return Producer(options)

    monkeypatch.setattr(relaying, "Producer", make)
    monkeypatch.setattr(Admin, "largest_requests", lambda *_, **__: {"small": 50_000, "large": 5_000_000})
    options = {} if given is None else {"batch.size": given}
    with override_settings(**servers, EVENT_BUS_KAFKA_PRODUCER_OPTIONS=options):
        relaying._common(relaying.relay_options(), {"small", "large"})
    assert [(one["batch.size"], one["message.max.bytes"]) for one in made] == [(used, 5_000_000)]
