"""A consumer's connection: told when it changes, not at each retry."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import KafkaError

from event_bus_kafka.kafka.broker_errors import to_broker_error
from event_bus_kafka.kafka.connection import Connection
from event_bus_kafka.telemetry.events import ConnectionChanged
from event_bus_kafka.trouble import Trouble
from tests.support.watching import watched


def report(connection: Connection, *what: int | bool) -> None:
    """Give a connection errors (their codes) and statistics (whether the coordinator answers), as a client does."""
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
    ids=["start", "down", "refused", "first down", "open beside refused", "one moves", "silent"],
)
def test_each_change_is_told_once(what: list[int | bool], expected: list[str]) -> None:
    with watched(ConnectionChanged) as changes:
        report(Connection("consumer"), *what)
    assert [change.state for change in changes] == expected


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (KafkaError.FENCED_INSTANCE_ID, Trouble.REPLACED),
        (KafkaError.UNRELEASED_INSTANCE_ID, Trouble.REPLACED),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, Trouble.FORBIDDEN),
        (KafkaError.INVALID_REQUEST, Trouble.OTHER),
    ],
)
def test_the_cause_of_a_fatal_error_is_known(cause: int, kind: Trouble) -> None:
    error = to_broker_error(KafkaError(KafkaError._FATAL, f"Fatal error: {KafkaError(cause).str()}: more"))
    assert (error.code, error.fatal, error.kind) == ("_FATAL", True, kind)
    assert to_broker_error(KafkaError(cause)).kind is kind
