""":class:`Producer` writes records unchanged and in order, and reports each delivery and each error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest

from event_bus_kafka.errors import BrokerError, ConfigurationError, DeliveryFailed
from event_bus_kafka.kafka.admin import Admin
from event_bus_kafka.kafka.consumer import AssignmentListener, ConsumerClient
from event_bus_kafka.kafka.producer import Delivered, Producer, QueueFull
from event_bus_kafka.wire.records import Headers
from tests.services.bus import Bus
from tests.support.members import SECONDS, Member, client_errors, produced, record

NOBODY = "127.0.0.1:9"


def lonely(**options: Any) -> Producer:
    """Return a producer that cannot reach a broker."""
    return Producer({"bootstrap.servers": NOBODY} | options)


def test_a_delivery_report_contains_the_topic_and_the_partition_and_the_offset(bus: Bus, topic: str) -> None:
    reports = [one for one in produced(bus, record(topic), record(topic)) if isinstance(one, Delivered)]
    assert [(one.topic, one.partition, one.offset) for one in reports] == [(topic, 0, 0), (topic, 0, 1)]


def test_connect_returns_the_number_of_partitions_of_each_topic(bus: Bus, topic: str) -> None:
    bus.create_topic(f"{topic}-wide", 3)
    counts = Producer({"bootstrap.servers": bus.bootstrap_servers}).connect(SECONDS)
    assert (counts[topic], counts[f"{topic}-wide"]) == (1, 3)


def test_a_record_is_read_unchanged(bus: Bus, topic: str, group: str) -> None:
    produced(bus, record(topic, b"\x00value", key=b"\xffkey"))
    with Member(bus, group, [topic]) as member:
        (got,) = member.poll_records(1)
    assert (got.coordinates, got.key, got.value, got.headers) == (f"{topic}:0:0", b"\xffkey", b"\x00value", ())
    assert got.timestamp is not None


def test_headers_keep_their_order_and_can_repeat_a_name(bus: Bus, topic: str, group: str) -> None:
    headers: Headers = (("b", b""), ("a", None), ("ключ", "значение".encode()), ("a", b"\xff\x00"))
    produced(bus, record(topic, headers=headers))
    with Member(bus, group, [topic]) as member:
        assert member.poll_records(1)[0].headers == headers


@pytest.mark.parametrize("value", [None, b""])
def test_null_and_empty_values_are_distinguished(bus: Bus, topic: str, group: str, value: bytes | None) -> None:
    produced(bus, record(topic, value))
    with Member(bus, group, [topic]) as member:
        assert member.poll_records(1)[0].value == value


@pytest.mark.parametrize("key", [None, b""])
def test_null_and_empty_keys_are_distinguished(bus: Bus, topic: str, group: str, key: bytes | None) -> None:
    bus.produce(topic, value=b"value", headers={}, key=key)
    with Member(bus, group, [topic]) as member:
        assert member.poll_records(1)[0].key == key


def test_records_of_a_key_keep_their_order(bus: Bus, topic: str, group: str) -> None:
    bus.create_topic(f"{topic}-wide", 4)
    sent = [(f"key-{number % 5}".encode(), str(number).encode()) for number in range(300)]
    produced(bus, *(record(f"{topic}-wide", value, key=key) for key, value in sent), **{"linger.ms": 1})
    with Member(bus, group, [f"{topic}-wide"]) as member:
        got = [(each.key, each.value) for each in member.poll_records(300)]
    for key, _ in sent[:5]:
        assert [pair for pair in got if pair[0] == key] == [pair for pair in sent if pair[0] == key]


def test_the_partition_of_a_key_is_its_crc32_modulo_the_number_of_partitions(bus: Bus, topic: str) -> None:
    """
    edx-event-bus-kafka uses this partitioner. If this package used a different one, records with the same key could get
    out of order.
    """
    bus.create_topic(f"{topic}-wide", 5)
    for number in range(12):
        key = f"\x00\x00\x00\x00\x01key-{number}".encode()
        (report,) = produced(bus, record(f"{topic}-wide", key=key))
        assert isinstance(report, Delivered)
        assert report.partition == crc32(key) % 5


def test_producing_a_record_raises_immediately_when_the_queue_is_full() -> None:
    producer = lonely(**{"queue.buffering.max.messages": 1})
    producer.produce(record("t"), lambda report: None)
    with pytest.raises(QueueFull) as caught:
        producer.produce(record("t"), lambda report: None)
    assert caught.value.retriable
    assert len(producer) >= 1
    producer.purge()


def test_producing_a_record_that_is_too_large_raises_immediately(bus: Bus, topic: str) -> None:
    reports: list[object] = []
    producer = Producer({"bootstrap.servers": bus.bootstrap_servers, "message.max.bytes": 1000})
    with pytest.raises(DeliveryFailed) as caught:
        producer.produce(record(topic, b"v" * 2000), reports.append)
    assert (caught.value.code, caught.value.retriable) == ("MSG_SIZE_TOO_LARGE", False)
    assert producer.flush(1) == 0
    assert reports == []


def test_a_record_is_reported_as_failed_if_it_is_not_confirmed_in_time() -> None:
    reports: list[Any] = []
    producer = lonely(**{"message.timeout.ms": 200})
    producer.produce(record("t"), reports.append)
    assert producer.flush(SECONDS) == 0
    (failed,) = reports
    assert isinstance(failed, DeliveryFailed)
    assert (failed.code, failed.retriable, failed.fatal) == ("_MSG_TIMED_OUT", True, False)


def test_the_method_flush_returns_the_number_of_unconfirmed_records() -> None:
    producer = lonely()
    for _ in range(3):
        producer.produce(record("t"), lambda report: None)
    assert producer.flush(0.05) == 3
    producer.purge()


def test_the_method_purge_reports_each_record_as_purged() -> None:
    reports: list[Any] = []
    producer = lonely()
    for _ in range(3):
        producer.produce(record("t"), reports.append)
    producer.purge()
    assert [report.code for report in reports] == ["_PURGE_QUEUE"] * 3
    assert len(producer) == 0


def test_an_unreachable_broker_causes_an_error_that_is_not_fatal() -> None:
    with client_errors() as errors:
        producer = lonely()
        producer.produce(record("t"), lambda report: None)
        for _ in range(SECONDS):
            producer.poll(1)
            if "_ALL_BROKERS_DOWN" in [error.code for error in errors]:
                break
        producer.purge()
    assert {(error.client, error.fatal) for error in errors} == {("producer", False)}
    assert "_ALL_BROKERS_DOWN" in [error.code for error in errors]


@pytest.mark.parametrize(
    "ask", [lambda options: Producer(options).connect(0.5), lambda options: Admin(options).topics(timeout=0.5)]
)
def test_a_failed_attempt_to_connect_reports_the_address(ask: Callable[[dict[str, Any]], object]) -> None:
    """
    The exception always says "Failed to get metadata", so it does not show whether the address or the login is wrong.
    """
    with client_errors() as errors, pytest.raises(BrokerError):
        ask({"bootstrap.servers": "127.0.0.1:9"})
    assert any("127.0.0.1:9" in str(error.error) for error in errors)


LISTENER = AssignmentListener(assigned=lambda _: None, revoked=lambda _: None, lost=lambda _: None)


@pytest.mark.parametrize(
    "make", [Producer, lambda options: ConsumerClient({"group.id": "g"} | options, ["t"], LISTENER), Admin]
)
@pytest.mark.parametrize(("name", "value"), [("no.such.option", "1"), ("socket.timeout.ms", "soon")])
def test_invalid_options_are_named_in_the_error(
    make: Callable[[dict[str, Any]], object], name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=name):
        make({"bootstrap.servers": NOBODY, name: value})
