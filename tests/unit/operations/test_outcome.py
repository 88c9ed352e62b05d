"""The outcome of a search for an event says in a sentence what happened to the event, and what it waits for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from event_bus_kafka.models import EntryState
from event_bus_kafka.operations.whereabouts.answer import (
    GroupPlace,
    KafkaPlace,
    LetterPlace,
    Loss,
    MarkPlace,
    MaybeGone,
    OutboxPlace,
    Question,
    Reached,
    ReceiverPart,
    Scanned,
    Unseen,
    Whereabouts,
)
from event_bus_kafka.operations.whereabouts.outcome import needs_hand, outcome
from event_bus_kafka.operations.whereabouts.sentences import lines

_ID = "5c3f8a2e-fe6b-11f0-9c1d-0242ac120002"
_KEY = Question(key="a-key")
_ROW: dict[str, Any] = {
    "database": "default",
    "row": 7,
    "topic": "grades",
    "event_type": "",
    "event_id": _ID,
    "since": 0,
}


def _answer(question: Question | None = None, **places: Any) -> Whereabouts:
    nothing = dict.fromkeys(("outbox", "records", "letters", "marks", "scanned", "gone", "unseen"), ())
    asked = question or Question(event_id=UUID(_ID))
    answer: dict[str, Any] = {"question": asked, "event_type": "", "more_records": 0, "read": 0} | nothing
    return Whereabouts(**answer | places)


def _record(*groups: tuple[str, Reached], is_dead_letter: bool = False) -> KafkaPlace:
    return KafkaPlace(
        topic="grades",
        partition=0,
        offset=3,
        time=0,
        event_type="",
        event_id=_ID,
        masked_key="key-0",
        is_tombstone=False,
        is_dead_letter=is_dead_letter,
        groups=tuple(GroupPlace(group=name, reached=one, committed=4, before=0, lag=0) for name, one in groups),
    )


def _letter(state: str, *, is_open: bool) -> LetterPlace:
    part = ReceiverPart(receiver="app.print_on_paper", state=state, attempts=3, error="RuntimeError", changed=0)
    return LetterPlace(
        letter=21,
        is_open=is_open,
        group="mail",
        topic="grades",
        partition=0,
        offset=3,
        event_type="",
        event_id=_ID,
        time=0,
        receivers=(part,),
    )


_HANDLED = _record(("mail", Reached.BEYOND))
_OPEN = _letter(EntryState.FAILED, is_open=True)
_FAILED = (
    "Failed: app.print_on_paper, 3 attempts, RuntimeError. "
    "Its dead letter (number 21) waits for a replay, once what failed is mended and deployed."
)
_MARK = MarkPlace(database="default", receiver="app.award", since=0)
_UNSEEN = Unseen(what="topic grades", why="no answer")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            _answer(records=(_HANDLED, _HANDLED), letters=(_OPEN,)),
            f"{_FAILED} The group mail has moved on (committed offset 4): it will not try again by itself.",
        ),
        (
            _answer(records=(_record(("mail", Reached.BEYOND), ("exams", Reached.BEYOND)),), letters=(_OPEN,)),
            f"{_FAILED} "
            "The group mail has moved on (committed offset 4): it will not try again by itself. "
            "Handled: group exams has committed beyond it.",
        ),
        (
            _answer(records=(_HANDLED,)),
            "Handled: group mail has committed beyond it, and no receiver failed as far as is known.",
        ),
        (
            _answer(records=(_record(("mail", Reached.BEHIND), ("exams", Reached.NOTHING), ("old", Reached.TAKEN)),)),
            "On its way: groups mail, exams have not finished it yet. Skipped: it was quarantined for old.",
        ),
        (_answer(outbox=(OutboxPlace(**_ROW),)), "Waits in the outbox: no relay has sent it yet."),
        (
            _answer(outbox=(OutboxPlace(**_ROW, code="MSG_SIZE_TOO_LARGE"),)),
            "Parked in the outbox, as Kafka refused it (MSG_SIZE_TOO_LARGE): it waits for a release.",
        ),
        (_answer(records=(_record(),)), "In Kafka: no group that could be seen has committed an offset there."),
        (
            _answer(records=(_record(is_dead_letter=True),)),
            "In Kafka, it is only on a topic of dead letters.",
        ),
        (
            _answer(letters=(_letter(EntryState.SUCCEEDED, is_open=False),), marks=(_MARK,)),
            "Replayed: app.print_on_paper succeeded. Received: app.award.",
        ),
        (
            _answer(_KEY, records=(_HANDLED,), more_records=4, letters=(_OPEN,)),
            "Found: 1 dead letter, 5 records in Kafka.",
        ),
        (_answer(), "Not found in the outbox, in Kafka or among dead letters."),
        (
            _answer(gone=(MaybeGone(topic="grades", partition=None, loss=Loss.COMPACTION),)),
            "Not found: maybe Kafka has deleted it.",
        ),
        (
            _answer(scanned=(Scanned(topic="grades", partition=0, start=0, stop=5, end=9, last_time=None),)),
            "Not found, but not all places could be searched: see below.",
        ),
        (
            _answer(records=(_HANDLED,), unseen=(_UNSEEN,)),
            "Handled: group mail has committed beyond it, and no receiver failed as far as is known. "
            "Not all places could be searched: see below.",
        ),
    ],
)
def test_the_result_of_a_search_says_what_became_of_the_event(answer: Whereabouts, told: str) -> None:
    assert outcome(answer) == told
    assert needs_hand(answer) == ("waits for a re" in told or "1 dead letter" in told)


@pytest.mark.parametrize("state", EntryState.values)
def test_the_result_of_a_search_names_the_receiver_of_a_deleted_letter_for_every_state_of_its_entry(state: str) -> None:
    assert "app.print_on_paper" in outcome(_answer(letters=(_letter(state, is_open=False),)))


def test_a_group_has_not_handled_a_record_that_became_its_dead_letter() -> None:
    answer = _answer(records=(_record(("mail", Reached.BEYOND), ("exams", Reached.BEYOND)),), letters=(_OPEN,))
    mail, exams = [line.text for line in lines(answer) if line.text.startswith("Group ")]
    assert "has committed offset 4: it is past this record, which became a dead letter." in mail
    assert "has committed offset 4: it has handled this record." in exams
