"""A replay runs stand-ins for renamed receivers. The other receivers of a letter are not affected (case C2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.models import DeadLetter, DeadLetterEntry
from event_bus_kafka.sandbox import Sandbox
from tests.support.letters import record_of, run, states, stored

pytestmark = pytest.mark.django_db(transaction=True)

OLD_GRADE, OLD_MAIL = "app.receivers.grade", "app.receivers.mail"
GRADE, MAIL = f"{__name__}.new_grade", f"{__name__}.new_mail"

seen: list[str] = []
failing: set[str] = set()


def new_grade(**_: Any) -> None:
    _run("grade")


def new_mail(**_: Any) -> None:
    _run("mail")


def _run(name: str) -> None:
    seen.append(name)
    if name in failing:
        raise ValueError


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    seen.clear()
    failing.clear()
    CERTIFICATE_CREATED.connect(new_grade)
    CERTIFICATE_CREATED.connect(new_mail)
    with override_settings(
        EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url, EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9"
    ):
        yield
    CERTIFICATE_CREATED.disconnect(new_grade)
    CERTIFICATE_CREATED.disconnect(new_mail)


@pytest.fixture
def letter() -> DeadLetter:
    """Return a dead letter of two receivers. Both receivers have been renamed since the letter was stored."""
    return stored(record_of(7), OLD_GRADE, OLD_MAIL)


def left() -> list[str]:
    return [name for letter in DeadLetter.objects.all() for name in letter.failed_receivers]


def replay(letter: DeadLetter, *arguments: str) -> str:
    return run("replay", letter.pk, *arguments, "--apply")


def test_c2_a_stand_in_replaces_only_one_of_several_missing_receivers(letter: DeadLetter) -> None:
    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        replay(letter, "--receiver", GRADE, "--instead-of", OLD_GRADE)
    assert (seen, left()) == (["grade"], [OLD_MAIL])
    assert states() == {"grade": "replaced by new_grade", "new_grade": "succeeded", "mail": "failed"}
    replay(letter, "--receiver", MAIL)
    assert (seen, left()) == (["grade", "mail"], [])
    assert states() == {
        "grade": "replaced by new_grade",
        "new_grade": "succeeded",
        "mail": "replaced by new_mail",
        "new_mail": "succeeded",
    }


@pytest.mark.parametrize("which", [["1"], ["--all"]])
def test_c2_a_stand_in_needs_the_name_of_the_replaced_receiver_if_a_letter_has_several_missing_receivers(
    letter: DeadLetter, which: list[str]
) -> None:
    which = [str(letter.pk)] if which == ["1"] else which
    printed = run("replay", *which, "--receiver", GRADE)
    assert f"no longer here: {OLD_GRADE}, {OLD_MAIL}; say with --instead-of in whose place {GRADE} runs" in printed
    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        run("replay", *which, "--receiver", GRADE, "--apply")
    assert (seen, left()) == ([], [OLD_GRADE, OLD_MAIL])


def test_c2_a_stand_in_needs_the_name_of_the_replaced_receiver_if_letters_have_different_missing_receivers() -> None:
    """
    Two letters have different missing receivers. If the command did not require the name of the replaced receiver, the
    stand-in would also run for the wrong letter. That letter would then be deleted without the work of its own
    receiver.
    """
    of_grade, of_mail = stored(record_of(7), OLD_GRADE), stored(record_of(7, offset=1), OLD_MAIL)
    with pytest.raises(CommandError, match="2 of 2 dead letters stay"):
        run("replay", "--all", "--receiver", GRADE, "--apply")
    assert (seen, left()) == ([], [OLD_GRADE, OLD_MAIL])
    run("replay", "--all", "--receiver", GRADE, "--instead-of", OLD_GRADE, "--apply")
    assert (seen, left()) == (["grade"], [OLD_MAIL])
    assert DeadLetter.objects.get() == of_mail != of_grade


def test_the_plan_of_a_replay_names_the_stand_in_and_the_receivers_that_are_still_missing(letter: DeadLetter) -> None:
    printed = run("replay", letter.pk, "--receiver", GRADE, "--instead-of", OLD_GRADE)
    assert f"would run {GRADE} in place of {OLD_GRADE}; no longer here: {OLD_MAIL}" in printed


def test_a_failed_stand_in_is_retried_and_its_success_settles_the_replaced_receiver(letter: DeadLetter) -> None:
    failing.add("grade")
    with pytest.raises(CommandError):
        replay(letter, "--receiver", GRADE, "--instead-of", OLD_GRADE)
    assert left() == [OLD_GRADE, OLD_MAIL, GRADE]
    assert f"{GRADE}: ValueError; in place of {OLD_GRADE}" in run("list")
    failing.clear()
    with pytest.raises(CommandError):
        replay(letter)
    assert (seen, left()) == (["grade", "grade"], [OLD_MAIL])
    assert states() == {"grade": "replaced by new_grade", "new_grade": "succeeded", "mail": "failed"}


def test_a_second_stand_in_settles_a_receiver_after_the_first_stand_in_failed(letter: DeadLetter) -> None:
    failing.add("grade")
    with pytest.raises(CommandError):
        replay(letter, "--receiver", GRADE, "--instead-of", OLD_GRADE)
    with pytest.raises(CommandError):
        replay(letter, "--receiver", MAIL, "--instead-of", OLD_GRADE)
    assert left() == [OLD_MAIL]


def test_a_replaced_receiver_stays_if_its_failed_stand_in_was_already_in_the_letter() -> None:
    letter = stored(record_of(7), OLD_GRADE, MAIL)
    failing.add("mail")
    with pytest.raises(CommandError):
        replay(letter, "--receiver", MAIL, "--instead-of", OLD_GRADE)
    failing.clear()
    with pytest.raises(CommandError):
        replay(letter)
    assert left() == [OLD_GRADE], "the replay in which it succeeded did not name it as a stand-in"


@pytest.mark.parametrize(
    ("receiver", "instead_of", "text"),
    [
        (GRADE, MAIL, f"{MAIL} is still here: it can run itself"),
        (GRADE, "app.receivers.other", "app.receivers.other has not failed for it"),
        ("app.nowhere", OLD_GRADE, "app.nowhere does not listen here"),
    ],
)
def test_a_replay_is_refused_if_the_stand_in_or_the_replaced_receiver_is_unsuitable(
    letter: DeadLetter, receiver: str, instead_of: str, text: str
) -> None:
    assert text in run("replay", letter.pk, "--receiver", receiver, "--instead-of", instead_of)
    with pytest.raises(CommandError):
        replay(letter, "--receiver", receiver, "--instead-of", instead_of)
    assert (seen, left()) == ([], [OLD_GRADE, OLD_MAIL])


def test_a_replay_is_refused_if_it_names_a_receiver_to_replace_but_no_stand_in(letter: DeadLetter) -> None:
    with pytest.raises(CommandError, match="--instead-of needs --receiver"):
        replay(letter, "--instead-of", OLD_GRADE)


def test_settled_receivers_of_a_deleted_letter_are_listed(letter: DeadLetter) -> None:
    with pytest.raises(CommandError):
        replay(letter, "--receiver", GRADE, "--instead-of", OLD_GRADE)
    shown = run("show", letter.pk)
    assert f"{OLD_GRADE}: replaced by {GRADE}" in shown
    assert f"{OLD_MAIL}: ValueError (5 attempts)" in shown
    run("discard", letter.pk, "--apply")
    printed = run("list", "--settled")
    for text in (f"{OLD_GRADE}: replaced by {GRADE}", f"{GRADE}: succeeded", f"{OLD_MAIL}: discarded"):
        assert text in printed
    settled = json.loads(run("list", "--settled", "--json", "--receiver", OLD_MAIL))["settled"]
    assert [(one["state"], one["event_id"], one["attempts"]) for one in settled] == [("discarded", letter.event_id, 5)]
    assert "learner" not in printed


def test_c17_control_characters_of_an_imported_letter_are_not_printed(letter: DeadLetter) -> None:
    DeadLetter.objects.update(left_out={"value": {"size": 1, "sha256": "\x1b[2J"}})
    assert "\x1b" not in run("show", letter.pk)
    run("discard", letter.pk, "--apply")
    DeadLetterEntry.objects.update(topic="\x1b[2J")
    assert "\x1b" not in run("list", "--settled")
