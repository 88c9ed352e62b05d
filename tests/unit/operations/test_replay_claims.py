"""
If two replays of a letter run at the same time, only one replay runs the letter's receivers and stores the successes of
these receivers (case C3).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import OperationalError, connection

from event_bus_kafka.dead_letters.table_store import claim
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.operations.dead_letters import letter_replay
from event_bus_kafka.operations.dead_letters.letter_replay import Replayed
from event_bus_kafka.operations.dead_letters.replay_plan import plan
from tests.support.letters import FAILED_AT, record_of, replayed, run, states, stored
from tests.support.meanwhile import FIRST, SECOND, meanwhile, seen
from tests.support.meanwhile import service as service

pytestmark = pytest.mark.django_db(transaction=True)


def another_replay() -> Replayed:
    """Plan a second, concurrent replay and run it."""
    meanwhile.clear()
    return replayed(plan(DeadLetter.objects.without_contents().get()))


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def test_c3_a_replay_skips_a_letter_that_another_replay_has_claimed() -> None:
    letter, others = stored(record_of(7), FIRST), []
    meanwhile["first"] = lambda: others.append(another_replay())
    assert "1 of 1 dead letters have succeeded" in run("replay", letter.pk, "--apply")
    assert ([one.is_taken for one in others], seen) == ([True], ["first"])


def test_c3_a_replay_skips_a_letter_claimed_by_another_replay_even_if_a_worker_updates_the_letter() -> None:
    others = []

    def store_and_replay() -> None:
        stored(record_of(7), FIRST, SECOND, failed_at=FAILED_AT + timedelta(hours=1))
        others.append(another_replay())

    meanwhile["first"] = store_and_replay
    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        run("replay", stored(record_of(7), FIRST).pk, "--apply")
    assert ([one.is_taken for one in others], seen) == ([True], ["first"])


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, ValueError])
def test_a_replay_releases_its_claim_on_a_letter_if_a_receiver_raises_an_exception(error: type[BaseException]) -> None:
    def leave() -> None:
        raise error

    letter, meanwhile["second"] = stored(record_of(7), FIRST, SECOND), leave
    with suppress(KeyboardInterrupt), pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")
    meanwhile.clear()
    run("replay", letter.pk, "--apply")
    assert not DeadLetter.objects.exists()


def test_the_claim_of_a_killed_replay_expires() -> None:
    letter = stored(record_of(7), FIRST)
    assert claim(letter, datetime.now(UTC) - timedelta(seconds=1))
    letter = DeadLetter.objects.get()
    assert claim(letter, in_an_hour())
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")
    assert seen == []


def test_a_replay_skips_a_letter_if_its_failures_changed_after_the_plan() -> None:
    """
    Another replay ran both receivers. One receiver succeeded. The other receiver could not reach a server; its attempts
    and times are therefore unchanged.
    """
    letter = stored(record_of(7), FIRST, SECOND)
    planned = plan(DeadLetter.objects.get())
    DeadLetter.objects.update(failures=[failure for failure in letter.failures if failure["receiver"] == SECOND])
    assert replayed(planned).is_taken
    assert seen == []


def test_a_letter_written_by_an_older_version_is_replayed() -> None:
    letter = stored(record_of(7), FIRST)
    DeadLetter.objects.update(failures=[{"receiver": FIRST, "error": "ValueError", "place": ""}])
    run("replay", letter.pk, "--apply")
    assert (seen, states()) == (["first"], {"first": "succeeded"})


class Away:
    """After begin(), makes the first `times` SQL statements fail, as if the database were unreachable."""

    def __init__(self, times: int) -> None:
        self._times = times
        self._is_away = False

    def begin(self) -> None:
        self._is_away = True

    def __call__(self, execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if self._is_away and self._times:
            self._times -= 1
            raise OperationalError(2006, "Server has gone away")
        return execute(sql, *arguments)


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_replay, "_AGAIN_AFTER", 0.01)


@pytest.mark.usefixtures("no_rest")
def test_the_success_of_a_receiver_is_stored_when_the_database_is_reachable_again() -> None:
    letter, away = stored(record_of(7), FIRST), Away(3)
    meanwhile["first"] = away.begin
    with connection.execute_wrapper(away):
        run("replay", letter.pk, "--apply")
    assert (seen, states()) == (["first"], {"first": "succeeded"})
    assert not DeadLetter.objects.exists()


@pytest.mark.usefixtures("no_rest")
def test_a_receiver_is_reported_if_its_success_cannot_be_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(letter_replay, "_NOTED_WITHIN", 0.05)
    letter, away = stored(record_of(7), FIRST), Away(1_000_000)
    meanwhile["first"] = away.begin
    with connection.execute_wrapper(away), pytest.raises(CommandError) as stopped:
        run("replay", letter.pk, "--apply")
    noted = f"{FIRST} succeeded for dead letter {letter.pk}; this cannot be stored, so the next replay would call them"
    assert f"{noted} again: " in str(stopped.value)
    assert "OperationalError 2006" in str(stopped.value)
