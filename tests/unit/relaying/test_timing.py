"""Time limits prevent two relays from having the same row in flight."""

from __future__ import annotations

import pytest
from django.test import override_settings

from event_bus_kafka.assembly.relaying import COMMON, MISSING_AFTER, alone_options, common_options, relay_options
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.relaying import topics
from event_bus_kafka.relaying.statements import DIALECTS
from event_bus_kafka.relaying.timing import BATCH_TIME, DELIVERY_TIMEOUT, IDLE_TRANSACTION_TIMEOUT

KAFKA = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}


def test_a_batch_ends_before_its_records_expire_and_records_expire_before_the_claim_expires() -> None:
    assert (BATCH_TIME, DELIVERY_TIMEOUT, IDLE_TRANSACTION_TIMEOUT) == (5, 10, 60)
    assert BATCH_TIME < DELIVERY_TIMEOUT < IDLE_TRANSACTION_TIMEOUT


@pytest.mark.parametrize("name", ["message.timeout.ms", "delivery.timeout.ms"])
def test_a_configured_delivery_timeout_does_not_change_the_delivery_timeout_of_the_relay(name: str) -> None:
    with override_settings(**KAFKA, EVENT_BUS_KAFKA_PRODUCER_OPTIONS={name: 300_000}):
        options = relay_options()
    assert options["message.timeout.ms"] == DELIVERY_TIMEOUT * 1000
    assert "delivery.timeout.ms" not in options


def test_a_missing_topic_is_reported_before_it_is_held_for_a_lack_of_delivery_reports() -> None:
    """librdkafka requests the metadata of an unknown topic once per second."""
    with override_settings(**KAFKA):
        assert relay_options()["topic.metadata.propagation.max.ms"] == MISSING_AFTER * 1000
    assert MISSING_AFTER + 1 < topics._PATIENCE


@pytest.mark.parametrize("name", ["max.in.flight", "max.in.flight.requests.per.connection"])
def test_s8_configured_options_do_not_raise_the_number_of_requests_in_flight(name: str) -> None:
    with override_settings(**KAFKA, EVENT_BUS_KAFKA_PRODUCER_OPTIONS={name: 5}):
        options = common_options(relay_options())
    assert {key: options.get(key) for key in COMMON} == COMMON
    assert "max.in.flight.requests.per.connection" not in options


@pytest.mark.parametrize("name", ["retries", "message.send.max.retries"])
def test_s8_configured_options_do_not_limit_the_retries_of_the_relay(name: str) -> None:
    with override_settings(**KAFKA, EVENT_BUS_KAFKA_PRODUCER_OPTIONS={name: 1}):
        options = common_options(relay_options())
    assert options["retries"] == 2**31 - 1
    assert "message.send.max.retries" not in options


@pytest.mark.parametrize("name", ["linger.ms", "queue.buffering.max.ms"])
def test_linger_is_disabled_for_the_client_that_sends_single_rows(name: str) -> None:
    with override_settings(**KAFKA, EVENT_BUS_KAFKA_PRODUCER_OPTIONS={name: 100}):
        options = relay_options()
    assert (common_options(options)["linger.ms"], alone_options(options)["linger.ms"]) == (100, 0)
    assert "queue.buffering.max.ms" not in options


def test_a_client_can_be_made_for_a_relay_configured_without_idempotence() -> None:
    unsafe = {"EVENT_BUS_KAFKA_ALLOW_UNSAFE_OPTIONS": ["enable.idempotence"]}
    with override_settings(**KAFKA, **unsafe, EVENT_BUS_KAFKA_PRODUCER_OPTIONS={"enable.idempotence": False}):
        assert Producer(common_options(relay_options())).failure is None


def test_each_dialect_that_locks_rows_has_a_timeout_for_idle_transactions() -> None:
    assert f"idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_TIMEOUT}s'" in DIALECTS["postgresql"].begin
    assert f"wait_timeout = {IDLE_TRANSACTION_TIMEOUT}" in DIALECTS["mysql"].session
    assert [vendor for vendor, dialect in DIALECTS.items() if dialect.locks] == ["postgresql", "mysql"]
