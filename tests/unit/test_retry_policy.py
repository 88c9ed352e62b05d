"""What follows from a failed attempt."""

from __future__ import annotations

import pytest

from event_bus_kafka.conf.table import RETRY_DEFAULTS
from event_bus_kafka.consuming.outcomes import DeadLetter, Hold, Retry
from event_bus_kafka.consuming.retry import RetryPolicy
from event_bus_kafka.errors import (
    BrokerError,
    ConfigurationError,
    ReceiversFailed,
    SchemaRegistryError,
    UnreadableValue,
)

POLICY = RetryPolicy(attempts=3, first_delay=1, factor=3, max_delay=5, jitter=0, final=(KeyError,))
FAILED = ReceiversFailed(["a"], [ValueError()])


def test_a_failed_receiver_is_tried_again_with_growing_delays() -> None:
    assert [POLICY.decide(FAILED, attempt) for attempt in (1, 2)] == [Retry(FAILED, 1), Retry(FAILED, 3)]


def test_used_up_attempts_end_in_a_dead_letter() -> None:
    assert POLICY.decide(FAILED, 3) == DeadLetter(FAILED)


def test_delays_have_a_limit_however_many_attempts() -> None:
    assert POLICY.delay(3) == 5
    assert POLICY.delay(10_000) == 5


def test_jitter_varies_a_delay_to_both_sides() -> None:
    policy = RetryPolicy(attempts=3, first_delay=10, factor=1, max_delay=60, jitter=0.2)
    assert (policy.delay(1, lambda: 0.0), policy.delay(1, lambda: 1.0)) == (8, 12)


def test_unreadable_records_are_final_at_once() -> None:
    error = UnreadableValue("x")
    assert POLICY.decide(error, 1) == DeadLetter(error)


@pytest.mark.parametrize("attempt", [1, 3, 1000])
def test_infrastructure_never_spends_attempts(attempt: int) -> None:
    assert isinstance(POLICY.decide(SchemaRegistryError("away", retriable=True), attempt), Hold)
    assert isinstance(POLICY.decide(BrokerError("_TRANSPORT", "away", retriable=True), attempt), Hold)


def test_a_schema_that_the_registry_does_not_know_is_final() -> None:
    assert isinstance(POLICY.decide(SchemaRegistryError("404", status=404, retriable=False), 1), DeadLetter)


def test_errors_marked_as_final_are_not_tried_again() -> None:
    final = ReceiversFailed(["a", "b"], [KeyError(), KeyError()])
    assert isinstance(POLICY.decide(final, 1), DeadLetter)


def test_one_receiver_that_may_recover_keeps_the_event_alive() -> None:
    mixed = ReceiversFailed(["a", "b"], [KeyError(), ValueError()])
    assert isinstance(POLICY.decide(mixed, 1), Retry)


def test_the_policy_is_made_of_the_setting() -> None:
    policy = RetryPolicy.of(RETRY_DEFAULTS | {"final": ["django.core.exceptions.ValidationError", KeyError]})
    assert (policy.attempts, policy.max_delay, len(policy.final)) == (5, 60, 2)


@pytest.mark.parametrize("name", ["no.such.module", "os.path", "os.getcwd"])
def test_final_errors_must_be_exception_classes(name: str) -> None:
    with pytest.raises(ConfigurationError, match="final"):
        RetryPolicy.of(RETRY_DEFAULTS | {"final": [name]})
