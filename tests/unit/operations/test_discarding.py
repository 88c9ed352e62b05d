"""If the database fails during a discard, the discard reports what it has deleted, or raises if it deleted nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from event_bus_kafka.models import DeadLetter
from event_bus_kafka.operations.dead_letters import discarding
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.sandbox import Sandbox
from tests.support.letters import record_of, service_with, states, stored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def letters(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(discarding, "_BATCH", 2)
    with service_with(sandbox):
        for offset in range(5):
            stored(record_of(7, offset=offset), f"mail.send_{offset}")
        yield


def failing_at(number: int) -> Any:
    """Return a context manager in which the database fails at the ``number``-th deletion of letters."""
    deletions: list[str] = []

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('DELETE FROM "event_bus_kafka_deadletter"'):
            deletions.append(sql)
            if len(deletions) == number:
                raise OperationalError("disk I/O error")
        return execute(sql, params, many, context)

    return connection.execute_wrapper(fail)


def test_an_interrupted_discard_reports_what_was_deleted_before_the_database_failed() -> None:
    with failing_at(2):
        done = discarding.discard(Selection(), seconds=60)
    assert (done.number, sorted(done.receivers)) == (2, ["mail.send_3", "mail.send_4"])
    assert "OperationalError" in done.problem
    assert DeadLetter.objects.count() == 3
    assert sorted(states().values()) == ["discarded"] * 2 + ["failed"] * 3


def test_a_discard_raises_when_the_database_fails_before_anything_was_deleted() -> None:
    with failing_at(1), pytest.raises(OperationalError):
        discarding.discard(Selection(), seconds=60)
    assert DeadLetter.objects.count() == 5


def test_a_plan_to_discard_counts_letters_and_receivers_and_deletes_nothing() -> None:
    plan = discarding.plan(Selection())
    assert (plan.count.number, plan.records) == (5, {("mail", "prod-certificates"): 5})
    assert plan.receivers == {f"mail.send_{offset}": 1 for offset in range(5)}
    assert plan.until == max(letter.last_failed_at for letter in DeadLetter.objects.all())
    assert DeadLetter.objects.count() == 5
