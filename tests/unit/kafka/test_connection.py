"""The state of a client's connection is reported when it changes, and not at each retry."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import KafkaError

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.broker_errors import to_broker_error
from event_bus_kafka.kafka.connection import Connection
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import ClientErrorReported, ConnectionChanged
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ProducerRecord
from tests.support.outbox_service import until
from tests.support.watching import watched


def report(connection: Connection, *what: int | bool) -> None:
    """
    Report errors and statistics to a connection, as a Kafka client does. An int is the code of an error. A bool stands
    for statistics, and says whether the group's coordinator answers.
    """
    for one in what:
        if isinstance(one, bool):
            state = ("up", "UP") if one else ("query-coord", "INIT")
            statistics = {"cgrp": {"state": state[0]}, "brokers": {"GroupCoordinator": {"state": state[1]}}}
            connection.on_statistics(json.dumps(statistics))
        else:
            connection.on_error(to_broker_error(KafkaError(one)))


DOWN, REFUSED, ONE_DOWN = KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._TRANSPORT


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ([False, False, True, True], ["connected"]),
        ([True, DOWN, DOWN, False, DOWN, True, True], ["connected", "unreachable", "connected"]),
        ([True, REFUSED, DOWN, REFUSED, DOWN, False, True], ["connected", "unauthenticated", "connected"]),
        ([DOWN, REFUSED], ["unreachable", "unauthenticated"]),
        ([True, REFUSED, True, REFUSED, True, True], ["connected", "unauthenticated", "connected"]),
        ([True, False, True, ONE_DOWN, True], ["connected"]),
        ([True, False, False, False, True], ["connected", "unreachable", "connected"]),
    ],
    ids=[
        "connects",
        "all brokers down",
        "login refused",
        "down at the start",
        "login refused on one of two connections",
        "one broker restarts",
        "coordinator silent",
    ],
)
def test_each_change_of_a_connection_is_reported_once(what: list[int | bool], expected: list[str]) -> None:
    with watched(ConnectionChanged) as changes:
        report(Connection("consumer"), *what)
    assert [change.state for change in changes] == expected


@pytest.mark.parametrize("renewed", [False, True], ids=["same producer", "new producer"])
def test_the_reconnection_of_producers_is_reported_once(renewed: bool) -> None:
    record = ProducerRecord(topic="t", key=b"key", value=b"value", headers=())
    with Sandbox() as sandbox:
        servers = {"bootstrap.servers": sandbox.bootstrap_servers, "reconnect.backoff.max.ms": 100}
        producer = Producer(servers)
        producer.connect(10)  # the state that earlier tests have left
        with watched(ConnectionChanged) as changes:
            with watched(ClientErrorReported) as errors, sandbox.broker_down():
                producer.produce(record, lambda _: None)
                until(lambda: "_ALL_BROKERS_DOWN" in [error.code for error in errors], step=lambda: producer.poll(0.1))
                assert not changes
            if renewed:
                Producer(servers).connect(10)
                assert len(changes) == 1
            for _ in range(2):
                assert producer.flush(30) == 0
                producer.produce(record, lambda _: None)
        assert [(change.client, change.state) for change in changes] == [("producer", "connected")]


def test_the_connection_of_a_producer_is_reported_after_an_earlier_producer_failed_to_connect() -> None:
    with Sandbox() as sandbox, watched(ConnectionChanged) as changes:
        Producer({"bootstrap.servers": sandbox.bootstrap_servers}).connect(10)
        changes.clear()
        with pytest.raises(BrokerError):
            Producer({"bootstrap.servers": "127.0.0.1:9"}).connect(0.01)
        Producer({"bootstrap.servers": sandbox.bootstrap_servers}).connect(10)
        assert [change.client for change in changes] == ["producer"]


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (KafkaError.FENCED_INSTANCE_ID, Trouble.REPLACED),
        (KafkaError.UNRELEASED_INSTANCE_ID, Trouble.REPLACED),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, Trouble.FORBIDDEN),
        (KafkaError.INVALID_REQUEST, Trouble.OTHER),
    ],
)
def test_the_cause_of_a_fatal_error_is_read_from_its_text(cause: int, kind: Trouble) -> None:
    error = to_broker_error(KafkaError(KafkaError._FATAL, f"Fatal error: {KafkaError(cause).str()}: more"))
    assert (error.code, error.fatal, error.kind) == ("_FATAL", True, kind)
    assert to_broker_error(KafkaError(cause)).kind is kind
