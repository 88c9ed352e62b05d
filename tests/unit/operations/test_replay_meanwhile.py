"""
If a worker stores a failure of a letter while a replay of this letter runs, the failure stays in the letter (case C3).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.dead_letters.table_store import remove
from event_bus_kafka.models import DeadLetter, EntryState
from event_bus_kafka.operations.dead_letters.replay_plan import plan
from tests.support.letters import FAILED_AT, discard, record_of, replayed, run, states, stored
from tests.support.meanwhile import FIRST, SECOND, meanwhile, seen
from tests.support.meanwhile import service as service

pytestmark = pytest.mark.django_db(transaction=True)

LATER = FAILED_AT + timedelta(hours=1)


def worker_stores(*receivers: str, failed_at: datetime = LATER) -> DeadLetter:
    return stored(record_of(7), *receivers, failed_at=failed_at, error="KeyError")


def failures() -> dict[str, str]:
    return {one["receiver"]: one["error"] for letter in DeadLetter.objects.all() for one in letter.failures}


@pytest.mark.parametrize("also", [[], [SECOND]])
def test_c3_a_replay_keeps_a_failure_that_a_worker_stored_during_the_replay(also: list[str]) -> None:
    letter = stored(record_of(7), FIRST)
    meanwhile["first"] = lambda: worker_stores(FIRST, *also)
    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        run("replay", letter.pk, "--apply")
    assert failures() == dict.fromkeys([FIRST, *also], "KeyError")
    row = DeadLetter.objects.get()
    assert (row.last_failed_at, row.attempts) == (LATER, 5)
    assert states() == dict.fromkeys(["first", *(["second"] if also else [])], "failed")


def test_c3_a_success_is_stored_even_if_a_worker_stored_a_failure_of_another_receiver_during_the_replay() -> None:
    letter = stored(record_of(7), FIRST)
    meanwhile["first"] = lambda: worker_stores(SECOND)
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")
    assert failures() == {SECOND: "KeyError"}
    assert states() == {"first": "succeeded", "second": "failed"}


def test_c3_a_failure_of_the_replay_does_not_overwrite_a_later_failure_of_a_worker() -> None:
    def fail_in_both() -> None:
        worker_stores(FIRST)
        raise ValueError

    letter = stored(record_of(7), FIRST)
    meanwhile["first"] = fail_in_both
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")
    assert failures() == {FIRST: "KeyError"}
    assert DeadLetter.objects.get().last_failed_at == LATER


def test_c3_a_letter_is_not_replayed_if_a_worker_updated_it_after_the_plan() -> None:
    """The worker stores failures of a later time. The number of attempts is the same as when the plan was made."""
    planned = plan(stored(record_of(7), FIRST))
    worker_stores(FIRST, SECOND)
    assert replayed(planned).is_taken
    assert seen == []


def test_c3_a_letter_is_not_replayed_if_a_worker_of_an_older_version_updated_it_after_the_plan() -> None:
    """The worker of the older version stores an equal failure without a time. Only the time of the letter differs."""
    stored(record_of(7), FIRST)
    DeadLetter.objects.update(failures=[{"receiver": FIRST, "error": "ValueError", "place": ""}])
    planned = plan(DeadLetter.objects.get())
    DeadLetter.objects.update(last_failed_at=LATER)
    assert replayed(planned).is_taken
    assert seen == []


def test_c3_a_letter_stays_if_a_worker_of_an_older_version_rewrites_its_row_during_a_replay() -> None:
    letter = stored(record_of(7), FIRST)
    as_before = [{"receiver": FIRST, "error": "ValueError", "place": ""}]
    DeadLetter.objects.update(failures=as_before)
    meanwhile["first"] = lambda: DeadLetter.objects.update(failures=as_before, last_failed_at=LATER)
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")
    assert failures() == {FIRST: "ValueError"}


def test_c3_a_letter_stays_for_all_receivers_if_a_worker_could_not_read_it_during_its_replay() -> None:
    planned = plan(stored(record_of(7)))
    meanwhile["first"] = lambda: worker_stores()
    assert list(replayed(planned).left) == [""]
    assert seen == ["first", "second"]


def test_a_letter_discarded_during_a_replay_is_not_stored_again() -> None:
    letter = stored(record_of(7), FIRST)
    meanwhile["first"] = lambda: discard(letter)
    run("replay", letter.pk, "--apply")
    assert failures() == {}
    assert states() == {"first": "discarded"}


def test_a_failed_replay_does_not_count_as_succeeded_if_its_letter_was_discarded_meanwhile() -> None:
    def discard_and_fail() -> None:
        discard(letter)
        raise ValueError

    letter = stored(record_of(7), FIRST)
    meanwhile["first"] = discard_and_fail
    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        run("replay", letter.pk, "--apply")
    assert states() == {"first": "discarded"}


def test_c3_a_letter_is_not_discarded_if_a_worker_updated_it_after_the_selection() -> None:
    letter = stored(record_of(7), FIRST)
    worker_stores(SECOND)
    assert discard(letter) == 0
    assert states() == {"first": "failed", "second": "failed"}
    assert discard(DeadLetter.objects.get()) == 1


def test_c3_a_letter_updated_after_its_selection_is_not_discarded_even_if_another_letter_has_a_newer_failure() -> None:
    """The update may have an earlier time than other letters, for example if the clock of a host is slow."""
    letters = [stored(record_of(7), FIRST), stored(record_of(7, offset=1), FIRST, failed_at=LATER)]
    seen = {letter.pk: letter.last_failed_at for letter in letters}
    worker_stores(SECOND, failed_at=FAILED_AT + timedelta(minutes=1))
    assert remove(seen, EntryState.DISCARDED) == 1
    assert failures() == {FIRST: "ValueError", SECOND: "KeyError"}


def test_storing_a_letter_again_keeps_receivers_that_have_not_succeeded() -> None:
    """A worker may store the letter without one of its receivers. This does not mean that the missing receiver ran."""
    stored(record_of(7), FIRST)
    worker_stores(SECOND)
    assert failures() == {FIRST: "ValueError", SECOND: "KeyError"}
    worker_stores()
    assert failures() == {FIRST: "ValueError", SECOND: "KeyError"}, (
        "a failure without a receiver adds nothing to failures with receivers"
    )


def test_a_letter_lists_its_failed_receivers_once_its_record_has_become_readable() -> None:
    stored(record_of(7))
    worker_stores(SECOND)
    assert failures() == {SECOND: "KeyError"}
    assert states() == {"": "succeeded", "second": "failed"}


def test_each_receiver_has_a_separate_count_of_attempts_and_a_separate_error() -> None:
    def fail() -> None:
        raise ValueError

    letter = stored(record_of(7), FIRST, SECOND)
    meanwhile["second"] = fail
    for _ in range(2):
        with pytest.raises(CommandError):
            run("replay", letter.pk, "--apply")
    assert seen == ["first", "second", "second"]
    entries = {entry.receiver: entry for entry in letter.entries.all()}
    assert (entries[FIRST].state, entries[FIRST].attempts) == (EntryState.SUCCEEDED, 6)
    assert (entries[SECOND].state, entries[SECOND].attempts, entries[SECOND].error) == ("failed", 7, "ValueError")
    assert entries[SECOND].place.endswith("<locals>.fail")


def test_c3_a_replay_runs_both_receivers_that_share_the_name_of_the_failed_receiver() -> None:
    ran: list[str] = []

    def made(name: str) -> Callable[..., None]:
        def receive(**_: Any) -> None:
            ran.append(name)

        return receive

    both = [made("one"), made("other")]
    for one in both:
        CERTIFICATE_CREATED.connect(one)
    try:
        name = f"{__name__}.{both[0].__qualname__}"
        run("replay", stored(record_of(7), name).pk, "--apply")
    finally:
        for one in both:
            CERTIFICATE_CREATED.disconnect(one)
    assert ran == ["one", "other"]
    assert not DeadLetter.objects.exists()
