"""The sandbox can inject faults, and real Kafka clients notice each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from event_bus_kafka.sandbox import Sandbox


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    """Return a sandbox that no other test uses, with three brokers."""
    with Sandbox(brokers=3) as sandbox:
        yield sandbox


class Reports:
    """A producer, and the result of each of its records: the name of Kafka's error, or None."""

    def __init__(self, sandbox: Sandbox, **options: Any) -> None:
        servers = {"bootstrap.servers": sandbox.bootstrap_servers, "log_level": 0, "linger.ms": 0}
        self._producer = Producer(servers | {name.replace("_", "."): value for name, value in options.items()})
        self.said: list[str | None] = []

    def send(self, seconds: float = 15) -> list[str | None]:
        """Produce one record; return the results that arrive within `seconds`."""
        self._producer.produce("t", b"value", on_delivery=self._hear)
        self._producer.flush(seconds)
        return self.said

    def _hear(self, error: KafkaError | None, _record: Message) -> None:
        self.said.append(None if error is None else error.name())


def test_a_record_waits_while_the_brokers_are_down(own_sandbox: Sandbox) -> None:
    reports = Reports(own_sandbox)
    assert reports.send() == [None]
    with own_sandbox.broker_down():
        assert reports.send(1) == [None]
    assert reports.send() == [None, None, None]


def test_one_broker_can_be_taken_down_while_the_others_run(own_sandbox: Sandbox) -> None:
    first, second, _ = own_sandbox.bootstrap_servers.split(",")
    with own_sandbox.broker_down(1):
        with pytest.raises(KafkaException):
            Producer({"bootstrap.servers": first, "log_level": 0}).list_topics(timeout=1)
        assert Producer({"bootstrap.servers": second, "log_level": 0}).list_topics(timeout=10).brokers
    assert Producer({"bootstrap.servers": first, "log_level": 0}).list_topics(timeout=10).brokers


def test_a_broker_that_does_not_exist_cannot_be_taken_down(own_sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="numbered from 1"), own_sandbox.broker_down(7):
        pass


def test_records_time_out_while_brokers_are_slow(own_sandbox: Sandbox) -> None:
    reports = Reports(own_sandbox, message_timeout_ms=500)
    assert reports.send() == [None]
    with own_sandbox.slow_brokers(3):
        assert reports.send() == [None, "_MSG_TIMED_OUT"]


def test_the_method_fail_next_makes_exactly_the_next_request_fail(own_sandbox: Sandbox) -> None:
    reports = Reports(own_sandbox)
    own_sandbox.fail_next("Produce", "TOPIC_AUTHORIZATION_FAILED")
    assert reports.send() == ["TOPIC_AUTHORIZATION_FAILED"]
    assert Reports(own_sandbox).send() == [None]


def test_the_method_fail_next_makes_the_given_number_of_commits_fail(own_sandbox: Sandbox) -> None:
    Reports(own_sandbox).send()
    consumer = Consumer({"bootstrap.servers": own_sandbox.bootstrap_servers, "group.id": "g", "log_level": 0})
    own_sandbox.fail_next("OffsetCommit", "UNKNOWN_MEMBER_ID", times=2)
    offsets = [TopicPartition("t", 0, 1)]
    for _ in range(2):
        with pytest.raises(KafkaException, match="UNKNOWN_MEMBER_ID"):
            consumer.commit(offsets=offsets, asynchronous=False)
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


def test_the_method_mend_removes_injected_errors(own_sandbox: Sandbox) -> None:
    own_sandbox.fail_next("Produce", "TOPIC_AUTHORIZATION_FAILED", times=5)
    own_sandbox.mend()
    assert Reports(own_sandbox).send() == [None]


@pytest.mark.parametrize(
    ("api", "error", "reason"),
    [
        ("Produced", "NOT_LEADER_FOR_PARTITION", "'Produced' is not one of Produce, "),
        ("Produce", "NOT_A_LEADER", "'NOT_A_LEADER' is not the name of a broker's error"),
        ("Produce", "_MSG_TIMED_OUT", "'_MSG_TIMED_OUT' is not the name of a broker's error"),
        ("Produce", "NO_ERROR", "'NO_ERROR' is not the name of a broker's error"),
    ],
)
def test_the_method_fail_next_refuses_unknown_requests_and_errors(
    sandbox: Sandbox, api: str, error: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        sandbox.fail_next(api, error)


def test_connected_clients_are_disconnected_by_the_method_registry_down(own_sandbox: Sandbox) -> None:
    with SchemaRegistryClient({"url": own_sandbox.schema_registry_url, "max.retries": 0}) as client:
        schema_id = client.register_schema("s", Schema('"string"', "AVRO"))
        with own_sandbox.registry_down(), pytest.raises(Exception, match=r"refused|disconnected"):
            client.get_subjects()
        assert client.get_schema(schema_id).schema_str == '"string"'


def test_the_registry_of_the_sandbox_can_be_made_to_return_a_given_status(own_sandbox: Sandbox) -> None:
    with SchemaRegistryClient({"url": own_sandbox.schema_registry_url, "max.retries": 0}) as client:
        with own_sandbox.registry_answering(503), pytest.raises(SchemaRegistryError) as caught:
            client.get_subjects()
        assert caught.value.http_status_code == 503
        assert client.get_subjects() == []
