"""The admin pages of dead letters list, search and discard the letters, and mask their event data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import resolve

from event_bus_kafka.models import DeadLetter, LetterState, ReplayRequest, Right
from event_bus_kafka.operations.requested_runs.open_replays import open_replays_of
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import CREATED
from tests.support.admin_clients import client_with, unbroken
from tests.support.examples_of import certificate
from tests.support.letters import FAILED_AT, record_of, stored

pytestmark = pytest.mark.django_db(transaction=True)

AWARD, MAIL = "credentials.receivers.award", "mail.receivers.send"
LIST = "/admin/event_bus_kafka/deadletter/"
REQUESTS = "/admin/event_bus_kafka/replayrequest/"
SEARCH, DISCARD = f"{LIST}search/", f"{LIST}discard/"
SECRET = certificate(7).user.pii.email


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    with override_settings(
        EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url, EVENT_BUS_TOPIC_PREFIX="prod"
    ):
        yield


def offsets(response: Any) -> list[int]:
    """Return the offsets of the records listed on a page."""
    html = unbroken(response.content.decode())
    return [int(one) for one in re.findall(r"/deadletter/\d+/\">[\w.-]+:0:(\d+)</a>", html)]


def confirmed(client: Client, **posted: Any) -> tuple[str, Any]:
    """
    Post an action, then post the form of its confirmation page with the values that the page fills in. Return the text
    of the confirmation page and the final answer.
    """
    asked = client.post(DISCARD, posted).content.decode()
    form = asked[asked.index('<form method="post" class="event-bus-form"') :]
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form):
        fields.setdefault(name, []).append(value)
    return asked, client.post(DISCARD, fields)


def test_filters_of_the_list_of_dead_letters_can_be_combined_in_the_url() -> None:
    stored(record_of(7, offset=1), AWARD, MAIL)
    stored(record_of(7, offset=2), MAIL, error="KeyError")
    stored(record_of(7, offset=3, topic="prod-elsewhere"), MAIL, group="other")
    stored(record_of(7, offset=4), AWARD, failed_at=datetime.now(UTC) - timedelta(minutes=5))
    client = client_with(Right.VIEW)

    def found(**filters: str) -> list[int]:
        return sorted(offsets(client.get(LIST, filters)))

    assert found() == [1, 2, 3, 4]
    assert found(receiver=MAIL) == [1, 2, 3]
    assert found(receiver=MAIL, topic="certificates") == [1, 2]
    assert found(receiver=MAIL, error="keyerr") == [2]
    assert found(receiver=AWARD, error="KeyError") == []
    assert found(group="other", event_type=CREATED) == [3]
    assert found(failed="1h") == [4]
    assert found(failed="over-1d", receiver=AWARD) == [1]
    assert found(receiver=AWARD.upper()) == []


def test_the_pages_of_the_list_of_dead_letters_together_contain_each_letter_exactly_once() -> None:
    for offset in range(120):
        stored(record_of(7, offset=offset), MAIL, failed_at=FAILED_AT + timedelta(seconds=offset // 7))
    client, seen, url = client_with(Right.VIEW), list[int](), f"{LIST}?receiver={MAIL}"
    while url:
        page = client.get(url)
        seen += offsets(page)
        following = re.search(r'href="([^"]+)">Next page', page.content.decode())
        url = following[1].replace("&amp;", "&") if following else ""
    assert sorted(seen) == list(range(120))
    assert seen[0] // 7 == 119 // 7


@pytest.mark.parametrize("after", ["", "yesterday", "2026-01-01_1", "2026-01-01T00:00:00+00:00_x", "9" * 30])
def test_an_invalid_position_in_the_url_shows_the_first_page(after: str) -> None:
    stored(record_of(7), MAIL)
    assert offsets(client_with(Right.VIEW).get(LIST, {"after": after})) == [0]


def test_letters_can_be_searched_by_offset_or_event_id_or_key_but_only_in_a_post_request() -> None:
    first, _ = stored(record_of(7, offset=1), MAIL), stored(record_of(8, offset=2), MAIL)
    client = client_with(Right.VIEW)

    def found(**search: str) -> list[int]:
        page = client.post(SEARCH, search)
        assert not re.findall(r'(?:href|action)="[^"]*(?:key|event_id|place)=', page.content.decode())
        assert "Look again" not in page.content.decode(), "a link cannot repeat the search"
        return sorted(offsets(page))

    assert found(key="8") == [2]
    assert found(key="9") == []
    assert found(event_id=first.event_id) == [1]
    assert found(place="prod-certificates:0:2") == [2]
    assert found(place="certificates:0:1", key="8") == []
    assert "Write it as topic:partition:offset" in client.post(SEARCH, {"place": "7"}).content.decode()
    assert client.get(SEARCH).status_code == 405
    assert sorted(offsets(client.get(LIST, {"key": "8"}))) == [1, 2]


def test_the_page_of_a_letter_masks_event_data_and_has_no_actions_for_users_who_may_only_view() -> None:
    letter = stored(record_of(7, offset=41, headers=(*record_of(7).headers, ("theirs", SECRET.encode()))), AWARD, MAIL)
    shown = unbroken(client_with(Right.VIEW).get(f"{LIST}{letter.pk}/").content.decode())
    for text in ("prod-certificates:0:41", AWARD, MAIL, "ValueError", letter.event_id, CREATED, "&quot;email&quot;"):
        assert text in shown
    assert SECRET not in shown
    assert f"masked, {len(SECRET)} bytes" in shown
    assert re.search(r'Key, masked</h3>.*event-bus-masked"[^>]*>key-\w{10}</pre>.*Data, masked</h3>', shown, re.DOTALL)
    assert "unmasked" not in shown
    assert "Discard" not in shown
    asks = r'<form method="post" action="/admin/event_bus_kafka/historyrow/where/">.*name="event_id" value="([^"]+)"'
    assert re.findall(asks, shown) == [letter.event_id]
    gone = client_with(Right.VIEW).get(f"{LIST}{letter.pk + 1}/")
    assert gone.status_code == 404
    assert f'<a href="{LIST}?state=settled">What became of dead letters</a>' in gone.content.decode()
    assert client_with(Right.VIEW).get(f"{LIST}{'9' * 30}/").status_code == 404


def test_the_page_of_a_letter_says_what_to_look_for_in_the_log_only_if_a_receiver_raised_an_exception() -> None:
    raised, unread = stored(record_of(7, offset=1), MAIL, place="mail.py:8 in send"), stored(record_of(7, offset=2))
    client = client_with(Right.VIEW)
    assert f"look for message_id={raised.event_id}." in unbroken(client.get(f"{LIST}{raised.pk}/").content.decode())
    assert "look for" not in unbroken(client.get(f"{LIST}{unread.pk}/").content.decode())


def test_the_page_of_a_letter_says_why_it_shows_no_key_and_no_data() -> None:
    letter = stored(record_of(7, key=None, value=None), MAIL)
    shown = client_with(Right.VIEW).get(f"{LIST}{letter.pk}/").content.decode()
    assert shown.count("The record has none.</pre>") == 2
    assert ", masked" not in shown
    left_out = {part: {"size": 9, "sha256": ""} for part in ("key", "value")}
    DeadLetter.objects.filter(pk=letter.pk).update(key=b"", value=b"", left_out=left_out)
    shown = client_with(Right.VIEW).get(f"{LIST}{letter.pk}/").content.decode()
    assert shown.count("The table of dead letters does not have it, see above.</pre>") == 2


@pytest.mark.parametrize(("letters", "places"), [(10, 1), (11, 2)])
def test_the_buttons_are_above_the_list_of_letters_and_also_below_a_long_list(letters: int, places: int) -> None:
    for offset in range(letters):
        stored(record_of(7, offset=offset), MAIL)
    shown = client_with(*Right).get(LIST).content.decode()
    assert shown.count(f"Discard all {letters} …") == places
    assert shown.count(f"Replay all {letters} …") == places
    assert shown.index("Discard the ticked") < shown.index("<tbody")
    assert f"{letters} dead letters, no filter set, latest failure first." in shown
    assert f'<a href="{LIST}">Look again</a>' in shown
    filtered = client_with(*Right).get(LIST, {"receiver": MAIL}).content.decode()
    assert f"Discard all that match ({letters}) …" in filtered
    assert f"{letters} dead letters match, those that failed last first." in filtered
    assert f'<a href="{LIST}?receiver={MAIL}">Look again</a>' in filtered
    assert shown.count("event-bus-button event-bus-final") == 2 * places


@pytest.mark.parametrize("below", ["", "unmasked/"])
def test_the_page_of_a_letter_omits_the_data_if_no_schema_registry_is_configured(below: str) -> None:
    letter = stored(record_of(7), MAIL)
    client, url = client_with(*Right), f"{LIST}{letter.pk}/{below}"
    with override_settings(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=None):
        answer = client.post(url) if below else client.get(url)
    assert answer.status_code == 200
    for text in ("The data cannot be decoded here.", "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL", MAIL, letter.event_id):
        assert text in answer.content.decode()


def test_looking_at_unmasked_data_requires_a_right_and_a_post_and_is_recorded_in_the_admin_history() -> None:
    letter = stored(record_of(7), MAIL)
    url = f"{LIST}{letter.pk}/unmasked/"
    for rights in ((Right.VIEW,), (Right.UNMASK,), (Right.VIEW, Right.DISCARD, Right.OPERATE, Right.REPLAY)):
        refused = client_with(*rights).post(url)
        assert refused.status_code == 403
        assert SECRET not in refused.content.decode()
    assert not LogEntry.objects.exists()
    client = client_with(Right.VIEW, Right.UNMASK)
    assert client.get(url).status_code == 405
    shown = client.post(url)
    assert SECRET in shown.content.decode()
    assert f'<a href="{LIST}{letter.pk}/">Mask it again</a>' in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    (entry,) = LogEntry.objects.all()
    assert (entry.object_id, entry.get_change_message()) == (str(letter.pk), "Looked at its data unmasked.")
    assert "Looked at its data unmasked." in client.get(f"{LIST}{letter.pk}/").content.decode()


def test_ticked_letters_are_discarded_after_a_confirmation() -> None:
    letters = [stored(record_of(7, offset=offset), MAIL) for offset in range(3)]
    client = client_with(Right.VIEW, Right.DISCARD)
    asked, done = confirmed(client, scope="ticked", id=[letters[0].pk, letters[2].pk])
    assert "2 dead letters will be deleted for good" in asked
    assert "Chosen: the 2 dead letters that you have ticked." in asked
    assert MAIL in asked
    assert done.headers["Location"] == LIST
    assert [letter.offset for letter in DeadLetter.objects.all()] == [1]
    (entry,) = LogEntry.objects.all()
    assert entry.get_change_message() == f"Discarded 2 dead letters (ticked). Receivers: {MAIL} (2)."
    assert "Discarded 2 dead letters" in client.get(LIST).content.decode()
    assert "discarded" in client.get(LIST, {"state": "discarded"}).content.decode()


def requested(*letters: DeadLetter, state: str = "requested") -> ReplayRequest:
    """Store a replay request for the letters."""
    request = ReplayRequest.objects.create(
        group="mail", receivers=[MAIL], requested_at=1_767_323_045_678, stop_after=20, state=state
    )
    for number, letter in enumerate(letters):
        place = {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset}
        failed_at, waiting = letter.last_failed_at, LetterState.WAITING
        request.letters.create(number=number, letter=letter.pk, failed_at=failed_at, state=waiting, **place)
    return request


def test_the_pages_of_letters_name_the_replay_request_in_which_a_letter_still_waits() -> None:
    letters = [stored(record_of(7, offset=offset), MAIL) for offset in range(5)]
    request = requested(*letters[:3])
    requested(*letters, state="stopped")
    request.letters.filter(number=2).update(state=LetterState.SUCCEEDED)
    client, link = client_with(*Right), f'<a href="{REQUESTS}{request.pk}/">replay request {request.pk}</a>'
    assert f"2 of those on this page wait in {link}." in client.get(LIST).content.decode()
    pages = [unbroken(client.get(f"{LIST}{letter.pk}/").content.decode()) for letter in letters]
    assert f"In {link} (requested 2026-01-01 21:04:05 CST): waiting." in pages[0]
    assert [f">replay request {request.pk}<" in page for page in pages] == [True, True, False, False, False]
    warning = f"are in replay request {request.pk}, which has not ended; it would skip them."
    asked = client.post(DISCARD, {"scope": "all"}).content.decode()
    assert f"2 of these {warning}" in asked
    assert asked.count("which has not ended") == 1
    ReplayRequest.objects.filter(pk=request.pk).update(state="paused")
    assert ": waiting, the request is paused." in client.get(f"{LIST}{letters[0].pk}/").content.decode()
    request.letters.filter(number=0).update(state=LetterState.RUNNING)
    assert ": running." in client.get(f"{LIST}{letters[0].pk}/").content.decode()


def test_the_open_replay_request_of_a_letter_is_found_even_if_letters_are_searched_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("event_bus_kafka.models.requested.letters._BATCH", 2)
    letters = [stored(record_of(7, offset=offset), MAIL) for offset in range(4)]
    requested(letters[1])
    (found,) = open_replays_of([letters[0].pk, letters[1].pk, letters[3].pk])
    assert found.letters == {letters[1].pk: LetterState.WAITING}
    assert open_replays_of([letters[0].pk, letters[2].pk, letters[3].pk]) == []


def test_the_confirmation_page_of_a_discard_explains_the_numbers_by_receiver_and_offers_a_replay() -> None:
    stored(record_of(7, offset=0), AWARD, MAIL)
    stored(record_of(7, offset=1), MAIL)
    shown = client_with(*Right).post(DISCARD, {"scope": "all", "receiver": MAIL}).content.decode()
    assert "so the numbers by receiver add up to more than 2 dead letters. Discarding it ends it for all" in shown
    assert "This cannot be undone. The receivers below will never handle these 2 events" in shown
    form = re.search(rf'<form method="post" action="{REQUESTS}request/">(.*?)</form>', shown, re.DOTALL)
    assert form
    assert "Replay instead" in form[1]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[1]))
    assert (fields["scope"], fields["receiver"]) == ("all", MAIL)
    plan = client_with(*Right).post(f"{REQUESTS}request/", fields).content.decode()
    assert "Nothing was requested yet" not in plan
    one = client_with(Right.VIEW, Right.DISCARD).post(DISCARD, {"scope": "all", "topic": "certificates"})
    assert "Replay instead" not in one.content.decode()
    DeadLetter.objects.filter(offset=0).delete()
    assert "add up to more" not in client_with(*Right).post(DISCARD, {"scope": "all"}).content.decode()


def test_the_filters_of_the_list_of_letters_are_unfolded_only_if_a_filter_is_set_or_invalid() -> None:
    client = client_with(Right.VIEW)
    opened = '<details class="event-bus-search" open>\n<summary>Filters'
    assert opened not in client.get(LIST).content.decode()
    assert opened in client.get(LIST, {"receiver": MAIL}).content.decode()
    assert opened in client.get(LIST, {"failed": "ever"}).content.decode()


def test_discarding_letters_requires_a_confirmed_plan_and_a_valid_selection_and_the_rights_to_view_and_discard() -> (
    None
):
    stored(record_of(7), MAIL)
    client = client_with(Right.VIEW, Right.DISCARD)
    for posted in (
        {"scope": "all"},
        {"scope": "all", "confirmed": "yes"},  # no page has shown the plan before
        {"scope": "all", "confirmed": "yes", "until": "soon"},
        {"scope": "ticked", "confirmed": "yes", "until": "2030-01-01T00:00:00+00:00"},
        {"scope": "all", "failed": "ever", "confirmed": "yes", "until": "2030-01-01T00:00:00+00:00"},
        {"scope": "all", "state": "discarded", "confirmed": "yes", "until": "2030-01-01T00:00:00+00:00"},
    ):
        client.post(DISCARD, posted)
    for rights in ((Right.VIEW, Right.OPERATE, Right.UNMASK, Right.REPLAY), (Right.DISCARD,)):
        refused = client_with(*rights).post(DISCARD, {"scope": "all", "confirmed": "yes", "until": "2030-01-01"})
        assert refused.status_code == 403
    assert DeadLetter.objects.count() == 1
    assert not LogEntry.objects.exists()


def test_a_discard_of_all_matching_letters_omits_letters_that_failed_after_the_confirmation_page() -> None:
    for offset in range(4):
        stored(record_of(7, offset=offset), MAIL if offset % 2 else AWARD)
    client = client_with(Right.VIEW, Right.DISCARD)
    asked = client.post(DISCARD, {"scope": "all", "receiver": MAIL, "failed": "over-1d"}).content.decode()
    assert f"Chosen: all dead letters that match Receiver: {MAIL}; Failed: more than a day ago." in asked
    (until,) = re.findall(r'name="until" value="([^"]+)"', asked)
    stored(record_of(7, offset=1), MAIL, failed_at=FAILED_AT + timedelta(hours=1))
    stored(record_of(7, offset=9), MAIL, failed_at=FAILED_AT + timedelta(hours=1))
    client.post(DISCARD, {"scope": "all", "receiver": MAIL, "until": until, "confirmed": "yes"})
    assert sorted(letter.offset for letter in DeadLetter.objects.all()) == [0, 1, 2, 9]
    assert f"all that match: receiver {MAIL}" in LogEntry.objects.get().get_change_message()


def test_the_admin_history_of_a_discard_hides_the_key_and_event_id_that_were_searched() -> None:
    letter = stored(record_of(77), MAIL)
    client = client_with(Right.VIEW, Right.DISCARD)
    asked, done = confirmed(client, scope="all", key="77", event_id=letter.event_id)
    assert f"Event id: {letter.event_id}; Key: 77." in unbroken(asked)
    assert done.status_code == 302
    assert not DeadLetter.objects.exists()
    message = LogEntry.objects.get().get_change_message()
    assert "all that match: a search" in message
    assert "77" not in message.replace("(1)", "")
    assert letter.event_id not in message


def test_a_discard_that_runs_out_of_time_reports_the_number_of_remaining_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from event_bus_kafka.admin.dead_letters import letters_page
    from event_bus_kafka.operations.dead_letters import discarding

    monkeypatch.setattr(letters_page, "_SECONDS", 0.0)
    monkeypatch.setattr(discarding, "_BATCH", 3)
    for offset in range(7):
        stored(record_of(7, offset=offset), MAIL)
    client = client_with(Right.VIEW, Right.DISCARD)
    _, page = confirmed(client, scope="all")
    said: HttpResponse = page
    assert "3 dead letters are deleted. There was not enough time" in said.content.decode()
    assert "4 dead letters are left" in said.content.decode()
    for _ in range(2):
        _, page = confirmed(client, scope="all")
    assert page.status_code == 302
    assert not DeadLetter.objects.exists()
    assert [entry.get_change_message()[:25] for entry in LogEntry.objects.order_by("pk")] == [
        "Discarded 3 dead letters ",
        "Discarded 3 dead letters ",
        "Discarded 1 dead letter (",
    ]


def test_the_view_that_discards_letters_is_exempt_from_djangos_atomic_requests_setting() -> None:
    assert resolve(DISCARD).func._non_atomic_requests >= set(connections)  # type: ignore[attr-defined]
