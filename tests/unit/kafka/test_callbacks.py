"""
Kafka's clients call the callbacks that a service configures. If a callback raises an exception, the package catches the
exception (case S17).
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import confluent_kafka
import pytest

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.factory import make_client
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.telemetry.events import CallbackFailed, ClientErrorReported, LifecycleEvent, ProducerStatistics
from tests.support.watching import watched

NOBODY = {"bootstrap.servers": "127.0.0.1:9", "statistics.interval.ms": 50}


def failing(error: type[BaseException], calls: list[Any]) -> Callable[..., None]:
    def fail(argument: Any) -> None:
        calls.append(argument)
        raise error("learner@example.com")

    return fail


@pytest.mark.parametrize("error", [ValueError, SystemExit])
@pytest.mark.parametrize(
    ("option", "ours"), [("error_cb", ClientErrorReported), ("stats_cb", ProducerStatistics)], ids=["errors", "stats"]
)
def test_a_callback_that_raises_is_reported_and_does_not_interrupt_polling(
    error: type[BaseException], option: str, ours: type[LifecycleEvent]
) -> None:
    calls: list[Any] = []
    producer, deadline = Producer(NOBODY | {option: failing(error, calls)}), monotonic() + 60
    with watched(CallbackFailed, ours) as seen:
        while len({type(event) for event in seen}) < 2 and monotonic() < deadline:
            producer.poll(0.1)
    assert {type(event) for event in seen} == {CallbackFailed, ours}
    assert {event.callback for event in seen if isinstance(event, CallbackFailed)} == {option}
    assert calls


def test_a_callback_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(Exception, match="stats_cb"):
        Producer(NOBODY | {"stats_cb": "no function"})


def test_making_a_client_raises_a_broker_error_if_its_oauth_callback_raises() -> None:
    def token(_: str) -> tuple[str, float]:
        raise OSError("the token endpoint is away")

    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", "oauth_cb": token}
    with watched(CallbackFailed) as seen, pytest.raises(BrokerError, match="OAuth token not set"):
        make_client(confluent_kafka.Producer, NOBODY | login, "producer")
    assert {(event.callback, type(event.error)) for event in seen} == {("oauth_cb", OSError)}
