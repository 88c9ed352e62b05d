"""Selections of dead letters are exact, even if a database compares values less strictly than Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from event_bus_kafka.models import DeadLetter, DeadLetterEntry
from event_bus_kafka.models.batches import FEW
from event_bus_kafka.operations.dead_letters.coordinates import Coordinates
from event_bus_kafka.operations.dead_letters.key_search import bodies_of
from event_bus_kafka.operations.dead_letters.paging import COUNTED, Count, Position, count, counted_page_of, page_of
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.sandbox import Sandbox
from tests.support.letters import FAILED_AT, multiply, record_of, service_with, stored
from tests.support.statements import asked

pytestmark = pytest.mark.django_db(transaction=True)

AWARD, MAIL = "credentials.receivers.award", "mail.receivers.send"


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    with service_with(sandbox):
        yield


def test_a_selection_compares_names_case_sensitively() -> None:
    letter = stored(record_of(7), AWARD, MAIL)
    assert Selection(receiver=AWARD, error="VALUE", group="mail").holds(letter)
    for other in (
        Selection(receiver=AWARD.upper()),
        Selection(group="Mail"),
        Selection(event_type=letter.event_type.upper()),
        Selection(topic=letter.topic.upper()),
        Selection(receiver=AWARD, error="KeyError"),
    ):
        assert not other.holds(letter)


def test_a_filter_by_error_applies_to_the_failure_of_the_selected_receiver() -> None:
    stored(record_of(7), AWARD, error="KeyError")
    stored(record_of(7), MAIL)  # the same record: both receivers have still to succeed
    assert page_of(Selection(receiver=MAIL, error="KeyError"), after=None, limit=5).letters == []
    assert len(page_of(Selection(receiver=AWARD, error="KeyError"), after=None, limit=5).letters) == 1


def test_a_searched_key_is_encoded_as_a_string_and_a_numeric_key_also_as_a_number() -> None:
    assert bodies_of("7") == [b"\x027", b"\x0e"]
    assert bodies_of("seven") == [b"\x0aseven"]
    assert len(bodies_of("9" * 30)) == 1
    assert len(bodies_of("²")) == 1


def test_a_letter_at_offset_0_is_found_by_its_coordinates() -> None:
    stored(record_of(7, offset=0), MAIL)
    stored(record_of(7, offset=1), MAIL)
    found = page_of(Selection(place=Coordinates.parse("prod-certificates:0:0")), after=None, limit=5)
    assert [letter.offset for letter in found.letters] == [0]


def test_a_search_by_offset_uses_the_index_of_groups_only_if_there_are_few_groups() -> None:
    selection = Selection(place=Coordinates.parse("prod-certificates:0:7"))
    assert page_of(selection, after=None, limit=5).letters == []
    for number in range(FEW + 1):
        stored(record_of(7, offset=7), MAIL, group=f"group {number}")
        assert len(page_of(selection, after=None, limit=9).letters) == number + 1
        is_narrow = "(group=? AND topic=? AND partition=? AND offset=?)" in selection.candidates().explain()
        assert is_narrow == (number < FEW)


@pytest.mark.parametrize(("selection", "statements"), [(Selection(key="7"), 2), (Selection(group="mail"), 3)])
def test_selecting_and_counting_letters_takes_two_queries_by_key_and_three_queries_by_group(
    selection: Selection, statements: int
) -> None:
    multiply(stored(record_of(7), MAIL), ({"offset": offset} for offset in range(1, 7)))
    with asked() as statements_of_page:
        page, counted = counted_page_of(selection, after=None, limit=5)
    assert (len(page.letters), counted) == (5, Count(number=7, is_more=False))
    assert len(statements_of_page) == statements
    rest, counted = counted_page_of(selection, after=page.following, limit=5)
    assert (len(rest.letters), counted.number) == (2, 7)
    assert "USING INDEX" not in Selection(key="7").candidates().latest_first(sorts=True).explain()


def test_letters_are_counted_up_to_a_limit() -> None:
    letter = stored(record_of(7), MAIL)
    DeadLetterEntry.objects.all().delete()
    assert count(Selection()) == Count(number=1, is_more=False)
    multiply(letter, ({"offset": offset} for offset in range(1, COUNTED + 1)))
    assert str(count(Selection())) == "10,000+"


def test_the_next_page_is_found_even_if_the_last_letter_shown_was_deleted() -> None:
    for offset in range(3):
        stored(record_of(7, offset=offset), MAIL, failed_at=FAILED_AT + timedelta(hours=offset))
    first = page_of(Selection(), after=None, limit=1)
    assert first.following
    assert Position.parse(str(first.following)) == first.following
    DeadLetter.objects.filter(pk=first.following.id).delete()
    second = page_of(Selection(), after=first.following, limit=2)
    assert [letter.offset for letter in second.letters] == [1, 0]
    assert second.following is None
