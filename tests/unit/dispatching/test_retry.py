"""After a failed attempt, the retry policy decides whether and when to try again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from event_bus_kafka.conf.policies import RETRY_DEFAULTS
from event_bus_kafka.dispatching.outages import outage_of
from event_bus_kafka.dispatching.outcomes import GiveUp, Hold, Retry
from event_bus_kafka.dispatching.retry import RetryPolicies, RetryPolicy
from event_bus_kafka.errors import (
    BrokerError,
    ConfigurationError,
    DeadLetterStoreFailed,
    ReceiversFailed,
    SchemaRegistryError,
    UnreadableValue,
)
from tests.support.databases import connected, none_known

POLICY = RetryPolicy(attempts=3, first_delay=1, factor=3, max_delay=5, jitter=0, final=(KeyError,))
FAILED = ValueError()


def test_a_failed_receiver_is_retried_with_growing_delays() -> None:
    assert [POLICY.decide(FAILED, attempt=attempt) for attempt in (1, 2)] == [Retry(FAILED, 1), Retry(FAILED, 3)]


def test_a_record_becomes_a_dead_letter_when_its_attempts_are_exhausted() -> None:
    assert POLICY.decide(FAILED, attempt=3) == GiveUp(FAILED)


def test_delays_between_attempts_never_exceed_the_maximum() -> None:
    assert POLICY.delay(3) == 5
    assert POLICY.delay(10_000) == 5


def test_jitter_varies_a_delay_in_both_directions() -> None:
    policy = RetryPolicy(attempts=3, first_delay=10, factor=1, max_delay=60, jitter=0.2)
    assert (policy.delay(1, lambda: 0.0), policy.delay(1, lambda: 1.0)) == (8, 12)


def test_an_unreadable_record_is_given_up_at_the_first_attempt() -> None:
    error = UnreadableValue("x")
    assert POLICY.decide(error, attempt=1) == GiveUp(error)


@pytest.mark.parametrize("attempt", [1, 3, 1000])
def test_a_record_is_held_during_an_outage_whatever_its_number_of_attempts(attempt: int) -> None:
    assert isinstance(POLICY.decide(FAILED, attempt=attempt, is_outage=True), Hold)


def test_a_record_is_held_at_most_ten_seconds_at_a_time_during_an_outage() -> None:
    policy = RetryPolicy(attempts=3, first_delay=1, factor=3, max_delay=3600, jitter=0)
    holds = [policy.decide(FAILED, attempt=1, holds=holds, is_outage=True) for holds in (0, 1, 2, 3, 1000)]
    assert [hold.delay for hold in holds if isinstance(hold, Hold)] == [1, 3, 9, 10, 10]


def test_the_retry_policy_of_an_event_type_overrides_the_policy_of_the_topic() -> None:
    policies = RetryPolicies.of(RETRY_DEFAULTS, {"topic": {"attempts": 2}, "type": {"attempts": 3, "factor": 1}})
    assert policies.policy("type", "topic").attempts == 3
    assert policies.policy("other", "topic").attempts == 2
    assert policies.policy("other", "other").attempts == 5
    assert policies.policy("type", "topic").max_delay == 60


@pytest.mark.django_db(databases="__all__")  # databases that this thread has used are checked
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SchemaRegistryError("away", retriable=True), "schema registry"),
        (SchemaRegistryError("404", status=404, retriable=False), ""),
        (BrokerError("_TRANSPORT", "away", retriable=True), "Kafka"),
        (DeadLetterStoreFailed("away"), "dead-letter store"),
        (ReceiversFailed(["a"], [ValueError()]), ""),
        (ReceiversFailed(["a"], [OperationalError()]), ""),
    ],
)
def test_only_errors_of_unreachable_servers_count_as_an_outage(error: Exception, expected: str) -> None:
    with none_known():
        assert outage_of(error) == expected


def test_an_unreachable_database_in_an_exception_group_counts_as_an_outage(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """For example, ``asyncio.TaskGroup`` raises exception groups."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "no such folder" / "database")}
    with django_db_blocker.unblock(), none_known(), connected(database, "away") as connection:
        with pytest.raises(OperationalError) as away:
            connection.ensure_connection()
        group = ExceptionGroup("tasks", [ValueError(), ExceptionGroup("inner", [away.value])])
        assert outage_of(ReceiversFailed(["a"], [group])) == "database"


@pytest.mark.parametrize(
    "told",
    [
        (1040, "Too many connections"),
        (1203, "User narrow already has more than 'max_user_connections' active connections"),
        ("connection failed: FATAL:  sorry, too many clients already",),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",),
        ('FATAL:  too many connections for role "narrow"',),
        ("couldn't get a connection after 30.00 sec",),
    ],
)
@pytest.mark.parametrize("comes_from", ["a look at it", "connecting"])
def test_a_database_server_with_too_many_connections_counts_as_an_outage(
    told: tuple[Any, ...],
    comes_from: str,
    tmp_path: Path,
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError(*told)

    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database")}
    with django_db_blocker.unblock(), none_known(), connected(entry, "full") as connection:
        connection.ensure_connection()
        error = OperationalError("the server closed the connection unexpectedly")
        monkeypatch.setattr(type(connection), "get_new_connection", refuse)
        if comes_from == "connecting":
            with pytest.raises(OperationalError) as away:
                connection.copy().ensure_connection()
            error = away.value
        assert outage_of(ReceiversFailed(["a"], [error])) == "database, which takes no more connections"
        monkeypatch.undo()


def test_c13_an_unknown_schema_is_retried_until_attempts_are_exhausted() -> None:
    """Another node of the registry may already know the schema."""
    unknown = SchemaRegistryError("404", status=404, retriable=False)
    assert isinstance(POLICY.decide(unknown, attempt=1), Retry)
    assert isinstance(POLICY.decide(unknown, attempt=POLICY.attempts), GiveUp)


def test_a_record_is_given_up_at_the_first_attempt_if_the_registry_refuses_its_schema() -> None:
    assert isinstance(POLICY.decide(SchemaRegistryError("422", status=422, retriable=False), attempt=1), GiveUp)


def test_errors_that_are_configured_as_final_are_not_retried() -> None:
    assert isinstance(POLICY.decide(KeyError(), attempt=1), GiveUp)


@pytest.mark.parametrize("error", [ValueError(), KeyError()], ids=["attempts exhausted", "final error"])
def test_a_record_is_held_while_a_circuit_is_open_and_becomes_no_dead_letter(error: Exception) -> None:
    assert isinstance(POLICY.decide(error, attempt=3, is_open=True), Hold)


def test_the_retry_policy_is_built_from_the_setting() -> None:
    policy = RetryPolicy.of(RETRY_DEFAULTS | {"final": ["django.core.exceptions.ValidationError", KeyError]})
    assert (policy.attempts, policy.max_delay, len(policy.final)) == (5, 60, 2)


@pytest.mark.parametrize("name", ["no.such.module", "os.path", "os.getcwd"])
def test_final_errors_must_be_names_of_exception_classes(name: str) -> None:
    with pytest.raises(ConfigurationError, match="final"):
        RetryPolicy.of(RETRY_DEFAULTS | {"final": [name]})
