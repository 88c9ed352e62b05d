"""What follows from a failed attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from event_bus_kafka.conf.policies import RETRY_DEFAULTS
from event_bus_kafka.consuming.outages import outage_of
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


def test_a_failed_receiver_is_tried_again_with_growing_delays() -> None:
    assert [POLICY.decide(FAILED, attempt=attempt) for attempt in (1, 2)] == [Retry(FAILED, 1), Retry(FAILED, 3)]


def test_used_up_attempts_end_in_a_dead_letter() -> None:
    assert POLICY.decide(FAILED, attempt=3) == GiveUp(FAILED)


def test_delays_have_a_limit_however_many_attempts() -> None:
    assert POLICY.delay(3) == 5
    assert POLICY.delay(10_000) == 5


def test_jitter_varies_a_delay_to_both_sides() -> None:
    policy = RetryPolicy(attempts=3, first_delay=10, factor=1, max_delay=60, jitter=0.2)
    assert (policy.delay(1, lambda: 0.0), policy.delay(1, lambda: 1.0)) == (8, 12)


def test_unreadable_records_are_final_at_once() -> None:
    error = UnreadableValue("x")
    assert POLICY.decide(error, attempt=1) == GiveUp(error)


@pytest.mark.parametrize("attempt", [1, 3, 1000])
def test_an_outage_never_spends_attempts(attempt: int) -> None:
    assert isinstance(POLICY.decide(FAILED, attempt=attempt, is_outage=True), Hold)


def test_an_outage_is_looked_at_again_at_least_every_ten_seconds() -> None:
    policy = RetryPolicy(attempts=3, first_delay=1, factor=3, max_delay=3600, jitter=0)
    holds = [policy.decide(FAILED, attempt=1, holds=holds, is_outage=True) for holds in (0, 1, 2, 3, 1000)]
    assert [hold.delay for hold in holds if isinstance(hold, Hold)] == [1, 3, 9, 10, 10]


def test_the_policy_of_an_event_type_comes_before_that_of_its_topic() -> None:
    policies = RetryPolicies.of(RETRY_DEFAULTS, {"topic": {"attempts": 2}, "type": {"attempts": 3, "factor": 1}})
    assert policies.policy("type", "topic").attempts == 3
    assert policies.policy("other", "topic").attempts == 2
    assert policies.policy("other", "other").attempts == 5
    assert policies.policy("type", "topic").max_delay == 60


@pytest.mark.django_db(databases="__all__")  # databases that this thread has used are asked
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
def test_servers_of_ours_that_are_away_are_an_outage(error: Exception, expected: str) -> None:
    with none_known():
        assert outage_of(error) == expected


def test_a_database_that_is_away_is_an_outage_in_a_group_of_errors_too(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """``asyncio.TaskGroup`` raises one: an outage behind it made dead letters."""
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
def test_a_server_without_a_connection_left_is_away_and_that_is_said(
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


def test_c13_a_schema_that_the_registry_does_not_know_has_the_retries_of_the_policy() -> None:
    """Another of its nodes may have it already."""
    unknown = SchemaRegistryError("404", status=404, retriable=False)
    assert isinstance(POLICY.decide(unknown, attempt=1), Retry)
    assert isinstance(POLICY.decide(unknown, attempt=POLICY.attempts), GiveUp)


def test_a_schema_that_the_registry_refuses_is_final() -> None:
    assert isinstance(POLICY.decide(SchemaRegistryError("422", status=422, retriable=False), attempt=1), GiveUp)


def test_errors_marked_as_final_are_not_tried_again() -> None:
    assert isinstance(POLICY.decide(KeyError(), attempt=1), GiveUp)


@pytest.mark.parametrize("error", [ValueError(), KeyError()], ids=["used up", "final"])
def test_a_receiver_whose_circuit_is_open_makes_no_dead_letter(error: Exception) -> None:
    assert isinstance(POLICY.decide(error, attempt=3, is_open=True), Hold)


def test_the_policy_is_made_of_the_setting() -> None:
    policy = RetryPolicy.of(RETRY_DEFAULTS | {"final": ["django.core.exceptions.ValidationError", KeyError]})
    assert (policy.attempts, policy.max_delay, len(policy.final)) == (5, 60, 2)


@pytest.mark.parametrize("name", ["no.such.module", "os.path", "os.getcwd"])
def test_final_errors_must_be_exception_classes(name: str) -> None:
    with pytest.raises(ConfigurationError, match="final"):
        RetryPolicy.of(RETRY_DEFAULTS | {"final": [name]})
