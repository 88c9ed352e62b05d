"""``event_dead_letters replay --apply`` calls the failed receivers of dead letters in its own process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import OperationalError, connections, transaction
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import record_deleted
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.operations.dead_letters.replay_plan import plan
from event_bus_kafka.sandbox import Sandbox
from tests.support.letters import FAILED_AT, record_of, replayed, run, service_with, stored

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, SECOND, GONE = f"{__name__}.first", f"{__name__}.second", f"{__name__}.gone"

seen: list[tuple[str, int]] = []
trouble: dict[str, Callable[[], Any]] = {}


def receive(name: str, certificate: Any) -> None:
    seen.append((name, certificate.user.id))
    trouble.get(name, lambda: None)()


def first(certificate: Any, **_: Any) -> None:
    receive("first", certificate)


def second(certificate: Any, **_: Any) -> None:
    receive("second", certificate)


def fail() -> None:
    raise ValueError("learner@example.com")


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    seen.clear()
    trouble.clear()
    with service_with(sandbox, first, second):
        yield


def receivers_left(letter: DeadLetter) -> list[str]:
    letter.refresh_from_db()
    return letter.failed_receivers


def test_a_replay_runs_only_the_failed_receiver_and_deletes_the_letter() -> None:
    letter = stored(record_of(7), SECOND)
    assert "1 of 1 dead letters have succeeded" in run("replay", letter.pk, "--apply")
    assert seen == [("second", 7)]
    assert not DeadLetter.objects.exists()


def test_the_log_contains_the_event_id_of_a_letter_before_its_receiver_runs(caplog: pytest.LogCaptureFixture) -> None:
    texts: list[str] = []
    trouble["second"] = lambda: texts.append(caplog.text)
    letter = stored(record_of(7), SECOND)
    with caplog.at_level(logging.INFO):
        run("replay", letter.pk, "--apply")
    assert letter.event_id in texts[0]


def test_a_tombstone_is_replayed_to_the_failed_receiver_of_deletions() -> None:
    def third(key: Any, **_: Any) -> None:
        seen.append(("third", key))

    record_deleted.connect(third)
    letter = stored(record_of(7, value=None), f"{__name__}.{third.__qualname__}")
    assert letter.event_type == "record_deleted"
    assert "1 of 1 dead letters have succeeded" in run("replay", letter.pk, "--apply")
    record_deleted.disconnect(third)
    assert seen == [("third", 7)]
    assert not DeadLetter.objects.exists()


def test_a_replay_runs_no_receiver_without_the_option_apply() -> None:
    letter = stored(record_of(7), SECOND)
    printed = run("replay", letter.pk)
    assert f"{letter.pk}  prod-certificates:0:0  would run {SECOND}" in printed
    assert "repeat it with --apply" in printed
    assert seen == []
    letter.refresh_from_db()
    assert letter.attempts == 5


def test_case_16_a_letter_contains_only_the_failed_receivers_after_a_failed_replay() -> None:
    trouble["second"] = fail
    letter = stored(record_of(7), FIRST, SECOND)
    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        run("replay", letter.pk, "--apply")
    assert receivers_left(letter) == [SECOND]
    assert (letter.attempts, letter.failures[0]["error"]) == (6, "ValueError")
    assert "in fail" in letter.failures[0]["place"]
    assert letter.first_failed_at == FAILED_AT < letter.last_failed_at
    trouble.clear()
    run("replay", letter.pk, "--apply")
    assert seen == [("first", 7), ("second", 7), ("second", 7)]
    assert not DeadLetter.objects.exists()


def test_a_letter_that_names_no_receivers_is_replayed_to_all_receivers() -> None:
    run("replay", stored(record_of(7)).pk, "--apply")
    assert seen == [("first", 7), ("second", 7)]


def test_a_record_that_is_still_unreadable_stays_a_dead_letter() -> None:
    letter = stored(record_of(7, value=b"\x01no event"))
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")
    letter.refresh_from_db()
    assert [(failure["receiver"], failure["error"]) for failure in letter.failures] == [
        ("", "UnreadableValue: starts with byte 1, not with 0")
    ]
    assert letter.attempts == 6


def test_a_letter_keeps_its_receivers_if_its_record_becomes_unreadable() -> None:
    letter = stored(record_of(7, value=b"\x01no event"), SECOND)
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")
    assert receivers_left(letter) == [SECOND]
    assert "UnreadableValue" in letter.failures[0]["error"]


def test_a_receiver_that_no_longer_exists_is_reported_and_stays_in_the_letter() -> None:
    letter = stored(record_of(7), GONE, SECOND)
    assert f"would run {SECOND}; no longer here: {GONE}" in run("replay", letter.pk)
    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        run("replay", letter.pk, "--apply")
    assert seen == [("second", 7)]
    assert receivers_left(letter) == [GONE]
    assert f"does not run: no longer here: {GONE}; name another with --receiver" in run("replay", letter.pk)


def test_a_given_receiver_runs_in_place_of_a_receiver_that_no_longer_exists() -> None:
    letter = stored(record_of(7), GONE)
    run("replay", letter.pk, "--receiver", SECOND, "--apply")
    assert seen == [("second", 7)]
    assert not DeadLetter.objects.exists()


def test_a_letter_keeps_a_failed_stand_in_and_the_replaced_receiver() -> None:
    trouble["second"] = fail
    letter = stored(record_of(7), GONE)
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--receiver", SECOND, "--apply")
    assert receivers_left(letter) == [GONE, SECOND]


def test_a_letter_that_names_no_receivers_names_the_others_after_a_replay_to_one_receiver() -> None:
    letter = stored(record_of(7))
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--receiver", SECOND, "--apply")
    assert seen == [("second", 7)]
    assert receivers_left(letter) == [FIRST]


def test_a_receiver_that_has_not_failed_for_a_letter_does_not_run_in_a_replay() -> None:
    letter = stored(record_of(7), SECOND)
    assert f"{FIRST} has not failed for it" in run("replay", letter.pk, "--receiver", FIRST)
    assert run("replay", "--all", "--receiver", FIRST, "--apply") == "No dead letters.\n"
    assert seen == []
    assert receivers_left(letter) == [SECOND]


def test_records_are_replayed_in_the_order_of_their_offsets() -> None:
    for offset in (10, 9, 2):
        stored(record_of(offset, offset=offset), FIRST)
    run("replay", "--all", "--apply")
    assert [user for _, user in seen] == [2, 9, 10]


def test_a_failing_letter_does_not_prevent_the_replay_of_other_letters() -> None:
    trouble["first"] = lambda: fail() if seen[-1][1] == 2 else None
    letters = [stored(record_of(offset, offset=offset), FIRST) for offset in (1, 2, 3)]
    with pytest.raises(CommandError, match="1 of 3"):
        run("replay", "--all", "--apply")
    assert list(DeadLetter.objects.values_list("pk", flat=True)) == [letters[1].pk]


def test_only_one_of_two_replays_that_planned_the_same_letter_runs_its_receivers() -> None:
    letter = stored(record_of(7), FIRST)
    mine, theirs = plan(DeadLetter.objects.get()), plan(DeadLetter.objects.get())
    trouble["first"] = fail
    assert replayed(mine).failed
    assert replayed(theirs).is_taken
    assert seen == [("first", 7)]
    letter.delete()
    assert replayed(theirs).is_taken


def test_a_replay_ends_without_counting_an_attempt_if_the_registry_is_unreachable() -> None:
    letters = [stored(record_of(7, offset=offset), FIRST) for offset in (0, 1)]
    with override_settings(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL="http://127.0.0.1:9"):
        with pytest.raises(CommandError, match=r"^Stopped: a server is away: SchemaRegistryError") as stopped:
            run("replay", "--all", "--apply")
    assert stopped.value.returncode == 1
    assert seen == []
    for letter in letters:
        letter.refresh_from_db()
        assert (letter.attempts, letter.failed_receivers) == (5, [FIRST])


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_a_receiver_that_succeeded_before_a_database_outage_does_not_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lose_the_other_database() -> None:
        connections["other"].ensure_connection()
        monkeypatch.setitem(connections["other"].settings_dict, "NAME", "/nowhere/database")
        raise OperationalError

    trouble["second"] = lose_the_other_database
    letter = stored(record_of(7), FIRST, SECOND)
    with pytest.raises(CommandError, match=r"^Stopped: a server is away: receiver .*second raised OperationalError"):
        run("replay", letter.pk, "--apply")
    assert receivers_left(letter) == [SECOND]
    assert letter.attempts == 5


def test_a_receiver_that_raises_system_exit_ends_the_replay_with_an_error() -> None:
    def leave() -> None:
        raise SystemExit(0)

    trouble["second"] = leave
    letter = stored(record_of(7), FIRST, SECOND)
    with pytest.raises(CommandError, match=f"{SECOND} raised SystemExit") as stopped:
        run("replay", letter.pk, "--apply")
    assert stopped.value.returncode == 3
    assert receivers_left(letter) == [FIRST, SECOND]


def test_a_receiver_fails_and_is_rolled_back_if_it_leaves_a_transaction_open() -> None:
    def leave_open() -> None:
        transaction.atomic().__enter__()
        DeadLetter.objects.all().delete()

    trouble["first"] = leave_open
    letter = stored(record_of(7), FIRST)
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")
    assert receivers_left(letter) == [FIRST]
    assert letter.failures[0]["error"].startswith("TransactionLeftOpen")


def test_a_replay_reports_an_event_type_that_is_not_registered() -> None:
    headers = tuple((name, b"x.y.v1" if name == "ce_type" else value) for name, value in record_of(7).headers)
    letter = stored(record_of(7, headers=headers))
    assert "event type x.y.v1 is not registered in this service" in run("replay", letter.pk)
    with pytest.raises(CommandError):
        run("replay", letter.pk, "--apply")


def test_the_plan_of_a_replay_reports_a_disabled_signal() -> None:
    letter = stored(record_of(7), FIRST)
    CERTIFICATE_CREATED.disable()
    try:
        assert "is disabled in this service" in run("replay", letter.pk)
    finally:
        CERTIFICATE_CREATED.enable()


def test_a_replay_is_refused_without_a_selection_or_with_contradictory_selections() -> None:
    for arguments in ([], ["1", "--all"], ["--all", "-g", "mail"]):
        with pytest.raises(CommandError, match="Say which"):
            run("replay", *arguments)
