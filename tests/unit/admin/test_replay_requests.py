"""
The admin shows a plan before a replay is requested, requires rights to create and to change a request, and shows the
results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from event_bus_kafka.models import (
    DeadLetter,
    Heartbeat,
    LetterState,
    ReplayRequest,
    RequestedLetter,
    RequestState,
    Right,
)
from event_bus_kafka.operations.dead_letters import requests
from event_bus_kafka.sandbox import Sandbox
from tests.support.admin_clients import client_with, staff_with, unbroken
from tests.support.admin_data import Amounts, fill
from tests.support.letters import FAILED_AT, multiply, record_of, stored

pytestmark = pytest.mark.django_db(transaction=True)

GONE = "mail.receivers.gone"
LETTERS = "/admin/event_bus_kafka/deadletter/"
LIST = "/admin/event_bus_kafka/replayrequest/"
REQUEST = f"{LIST}request/"
ALL = {"scope": "all"}


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox, receiver: str) -> Iterator[None]:
    with override_settings(
        EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url,
        EVENT_BUS_TOPIC_PREFIX="prod",
        EVENT_BUS_KAFKA_HEARTBEAT=10,
    ):
        yield


def form_of(page: str, *, button: str = "Request the replay") -> dict[str, list[str]]:
    """
    Return the fields and values that a browser posts when a user presses ``button`` on the page of a plan without
    changing the form.
    """
    form = re.search(r'<form [^>]*aria-label="Replay dead letters">(.*?)</form>', page, re.DOTALL)
    pressed = re.search(rf"<button [^>]+>(?={button})", form[1] if form else "")
    fields: dict[str, list[str]] = {}
    for tag in [*re.findall(r"<input [^>]+>", form[1] if form else ""), pressed[0] if pressed else ""]:
        name, value = (re.search(rf'{one}="([^"]*)"', tag) for one in ("name", "value"))
        if name:
            fields.setdefault(name[1], []).append(value[1] if value else "")
    return fields


def text_of(page: str) -> str:
    """Return a page without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", unbroken(page)))


def asked(client: Client, **posted: Any) -> str:
    return client.post(REQUEST, posted).content.decode()


def confirmed(client: Client, posted: dict[str, Any], **filled: str) -> Any:
    """
    Post an action, then request the replay on the page of the plan with the values in ``filled``; return the final
    answer.
    """
    return client.post(REQUEST, form_of(asked(client, **posted)) | filled)


def letters_of(request: ReplayRequest) -> list[int]:
    return [one.offset for one in RequestedLetter.objects.filter(request=request).order_by("number")]


def said() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def test_a_replay_of_ticked_letters_is_requested_after_its_plan_was_shown_and_confirmed(receiver: str) -> None:
    letters = [stored(record_of(7, offset=offset), receiver) for offset in range(3)]
    left_out = stored(record_of(7, offset=9, headers=()))
    user = staff_with(Right.VIEW, Right.REPLAY, name="anna")
    client = Client()
    client.force_login(user)
    ticked = {"scope": "ticked", "id": [letters[0].pk, letters[2].pk, left_out.pk]}
    page = asked(client, **ticked)
    assert "2 dead letters would be given to receivers again, by workers of group mail." in page
    assert f"{receiver} 2 " in text_of(page)
    assert "add up to more" not in page
    assert "is not registered in this service" in page
    assert f"{LETTERS}{left_out.pk}/" in page
    start = "No worker of group mail lives that could do it. Start one: manage.py consume_events -t certificates"
    assert start in unbroken(page)
    assert not ReplayRequest.objects.exists()
    done = confirmed(client, ticked, reason="the template is mended", rate="20")
    request = ReplayRequest.objects.get()
    assert done.headers["Location"] == f"{LIST}{request.pk}/"
    assert letters_of(request) == [0, 2]
    assert (request.group, request.rate, request.stop_after, request.state) == ("mail", 20, 20, "requested")
    assert (request.requested_by, request.reason) == ("anna", "the template is mended")
    (entry,) = LogEntry.objects.all()
    assert (entry.user, entry.object_id) == (user, str(request.pk))
    assert entry.get_change_message() == (
        f"Requested replay {request.pk}: 2 dead letters of group mail (ticked). Receivers: {receiver}. "
        "Reason: the template is mended."
    )
    page = client.get(f"{LIST}{request.pk}/").content.decode()
    for text in (
        "0 of 2",
        "anna",
        "the template is mended",
        "No worker of group mail lives",
        "manage.py consume_events",
    ):
        assert text in page


def test_a_request_for_all_matching_letters_is_split_by_group_and_omits_letters_stored_after_the_plan(
    receiver: str,
) -> None:
    for offset in range(4):
        stored(record_of(7, offset=offset), receiver, group="mail" if offset % 2 else "other")
    stored(record_of(7, offset=8), GONE)
    client = client_with(Right.VIEW, Right.REPLAY)
    fields = form_of(asked(client, scope="all", receiver=receiver))
    stored(record_of(7, offset=9), receiver, failed_at=FAILED_AT + timedelta(hours=1))
    done = client.post(REQUEST, fields)
    assert done.headers["Location"] == LIST
    assert [(one.group, letters_of(one)) for one in ReplayRequest.objects.order_by("pk")] == [
        ("mail", [1, 3]),
        ("other", [0, 2]),
    ]
    assert {one.receiver for one in ReplayRequest.objects.all()} == {receiver}, "they were filtered by it"
    assert f"(all that match: receiver {receiver})" in said()[0]


def test_the_plan_of_a_replay_says_that_nothing_would_run_if_the_chosen_receiver_is_not_connected(
    receiver: str,
) -> None:
    stored(record_of(7), receiver)
    client = client_with(Right.VIEW, Right.REPLAY)
    page = text_of(client.post(REQUEST, ALL | {"run-receiver": "mail.receivers.typo"}).content.decode())
    assert "Nothing would run. No receiver of this service" in page
    assert "Chosen: all dead letters. No filter is set. Nothing would run." in page
    assert "Nothing was requested" not in page
    unknown = "No receiver of this service has this name for these events: mail.receivers.typo."
    assert f"{unknown} Those that listen: {receiver}." in page
    assert "does not listen here" not in page
    assert "left out" not in page


def test_the_plan_of_a_replay_lists_20_of_21_omitted_letters_and_states_their_common_reason_once(receiver: str) -> None:
    stored(record_of(7), receiver)
    multiply(stored(record_of(7, offset=1, headers=())), [{"offset": offset} for offset in range(2, 22)])
    client = client_with(Right.VIEW, Right.REPLAY)
    page = text_of(asked(client, **ALL))
    assert "Left out: 21 dead letters. The reason: event type" in page
    assert "The first 20 of 21 that are left out" in page
    assert page.count("is not registered in this service") == 1
    DeadLetter.objects.filter(offset=0).delete()
    page = text_of(asked(client, **ALL))
    assert "Nothing would run. Left out: 21 dead letters. The reason: event type" in page
    assert "that are left out" not in page, "the list would repeat the selection"


def test_no_replay_is_requested_until_the_user_has_seen_the_plan_again_after_changing_its_receivers(
    receiver: str,
) -> None:
    for offset in range(2):
        stored(record_of(7, offset=offset), receiver, GONE)
    client = client_with(Right.VIEW, Right.REPLAY)
    page = asked(client, **ALL)
    assert page.index("Show what would run") < page.index("Request the replay"), "the Enter key presses the first"
    assert "several receivers, so these numbers add up to more than 2 dead letters." in page
    filled = {"run-receiver": receiver, "run-instead_of": "", "reason": "mended", "rate": "3"}
    page = client.post(REQUEST, form_of(page) | filled).content.decode()
    assert "Nothing was requested yet: you have changed the receivers." in page
    assert not ReplayRequest.objects.exists()
    looked = client.post(REQUEST, form_of(page, button="Show what would run") | {"rate": "4"}).content.decode()
    assert "Nothing was requested yet" not in looked
    assert not ReplayRequest.objects.exists()
    client.post(REQUEST, form_of(looked))
    request = ReplayRequest.objects.get()
    assert (request.receiver, request.reason, request.rate) == (receiver, "mended", 4)


def test_the_page_says_first_that_nothing_was_requested_if_a_replay_names_an_unknown_receiver(receiver: str) -> None:
    stored(record_of(7), receiver)
    client = client_with(Right.VIEW, Right.REPLAY)
    page = text_of(confirmed(client, ALL, **{"run-receiver": "mail.receivers.typo"}).content.decode())
    assert (
        "Nothing was requested: no receiver is named mail.receivers.typo. Correct or empty the name, then press Show "
        "what would run. Chosen: all dead letters."
    ) in page
    assert "you have changed the receivers" not in page
    assert not ReplayRequest.objects.exists()


def test_a_stand_in_can_be_requested_for_a_receiver_that_no_longer_exists(receiver: str) -> None:
    stored(record_of(7), GONE, "mail.receivers.gone_too")
    client = client_with(Right.VIEW, Right.REPLAY)
    page = client.post(REQUEST, ALL | {"run-receiver": receiver}).content.decode()
    assert "Nothing would run." in page
    assert f'say in the field "Old name" in whose place {receiver} runs' in unescape(page)
    assert "Request the replay" not in page
    assert GONE in page.partition('<datalist id="event-bus-missing">')[2]
    confirmed(client, ALL | {"run-receiver": receiver, "run-instead_of": GONE})
    request = ReplayRequest.objects.get()
    assert (request.receiver, request.instead_of, request.receivers) == (receiver, GONE, [receiver])


def test_the_plan_of_a_replay_names_missing_receivers_and_warns_if_no_worker_has_these_receivers(receiver: str) -> None:
    stored(record_of(7), receiver, GONE)
    stored(record_of(7, offset=1), GONE)
    client = client_with(Right.VIEW, Right.REPLAY)
    page = text_of(asked(client, **ALL))
    assert f"unless workers of another service have them Receiver Letters {GONE} 2 " in page
    about: dict[str, Any] = {"kind": "consumer", "host": "h", "pid": 1, "service": "", "version": "0", "topics": []}
    about |= {"group": "mail", "period": 10.0, "state": {"replaying": None, "receivers": [receiver]}}
    Heartbeat.objects.beat(uuid4(), age=1.0, **about)
    assert "No living worker" not in asked(client, **ALL)
    page = asked(client, scope="ticked", id=[DeadLetter.objects.latest("pk").pk])
    assert f"No living worker of group mail has receiver {GONE}." in page
    fields = 'in the field "Only this receiver", and in whose place in the field "Old name".'
    assert f"Or name one {fields}" in unescape(page)


@pytest.mark.parametrize(
    "changes",
    [
        {"until": ""},
        {"until": "soon"},
        {"rate": "0"},
        {"rate": "nan"},
        {"stop_after": ""},
        {"reason": "x" * 501},
        {"run-receiver": "x" * 501},
    ],
)
def test_no_replay_is_requested_if_a_field_is_invalid_or_the_time_of_the_shown_plan_is_missing(
    receiver: str, changes: dict[str, str]
) -> None:
    stored(record_of(7), receiver)
    client = client_with(Right.VIEW, Right.REPLAY)
    answer = confirmed(client, ALL, **changes)
    assert (answer.status_code, "Show what would run" in answer.content.decode()) == (200, True)
    assert not ReplayRequest.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_request_without_a_valid_selection_redirects_to_the_list_of_letters() -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    for posted in ({"scope": "ticked"}, {"scope": "all", "failed": "ever"}):
        assert client.post(REQUEST, posted).headers["Location"] == LETTERS
    assert "tick dead letters first" in client.get(LETTERS).content.decode()


def test_a_user_must_narrow_a_request_for_more_letters_than_the_limit(
    receiver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_bus_kafka.operations.dead_letters.paging.COUNTED", 2)
    multiply(stored(record_of(7), receiver), [{"offset": offset} for offset in range(1, 3)])
    client = client_with(Right.VIEW, Right.REPLAY)
    page = asked(client, scope="all")
    assert "Narrow them by filters" in page
    assert "Request the replay" not in page
    ticked = list(DeadLetter.objects.values_list("pk", flat=True)[:2])
    assert "2 dead letters would be given" in asked(client, scope="ticked", id=ticked)


def test_the_admin_history_of_a_replay_request_hides_the_key_and_event_id_that_were_searched(receiver: str) -> None:
    letter = stored(record_of(4711), receiver)
    client = client_with(Right.VIEW, Right.REPLAY)
    done = confirmed(client, ALL | {"key": "4711", "event_id": letter.event_id})
    assert "4711" not in done.headers["Location"]
    assert letters_of(ReplayRequest.objects.get()) == [0]
    assert "(all that match: a search)" in said()[0]
    assert "4711" not in said()[0]
    assert letter.event_id not in said()[0]


def test_only_users_with_the_right_to_replay_see_replay_buttons(receiver: str) -> None:
    letter = stored(record_of(7), receiver)
    for rights, times in (((Right.VIEW, Right.REPLAY), 2), ((Right.VIEW, Right.DISCARD, Right.OPERATE), 0)):
        client = client_with(*rights)
        assert client.get(LETTERS).content.decode().count(f'formaction="{REQUEST}"') == times
        assert (f'action="{REQUEST}"' in client.get(f"{LETTERS}{letter.pk}/").content.decode()) is bool(times)


def made(receiver: str, **values: Any) -> ReplayRequest:
    """Request a replay of one dead letter, and return the request with its columns set to ``values``."""
    stored(record_of(7), receiver)
    confirmed(client_with(Right.VIEW, Right.REPLAY), ALL)
    request = ReplayRequest.objects.get()
    for name, value in values.items():
        setattr(request, name, value)
    request.save()
    LogEntry.objects.all().delete()
    return request


def test_a_replay_request_can_be_paused_and_resumed_and_cancelled_after_a_confirmation(receiver: str) -> None:
    request = made(receiver)
    client, here = client_with(Right.VIEW, Right.REPLAY), f"{LIST}{request.pk}/"
    for step, state in (("pause", "paused"), ("resume", "requested"), ("cancel", "stopped")):
        before = ReplayRequest.objects.get().state
        assert "confirmed" in client.post(f"{here}{step}/").content.decode()
        assert ReplayRequest.objects.get().state == before
        assert client.post(f"{here}{step}/", {"confirmed": "yes"}).headers["Location"] == here
        assert ReplayRequest.objects.get().state == state
    user = LogEntry.objects.latest("pk").user.get_username()
    assert ReplayRequest.objects.get().note == f"cancelled by {user}"
    assert said() == [f"{done} replay request {request.pk}." for done in ("Paused", "Resumed", "Cancelled")]
    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(request.pk)}
    late = client.post(f"{here}resume/", {"confirmed": "yes"}).content.decode()
    assert f"Replay request {request.pk} is stopped, not paused." in late
    page = client.get(here).content.decode()
    assert "Cancelled replay request" in page
    assert "event-bus-button" not in page


@pytest.mark.parametrize("action", ["request", "1/pause", "1/resume", "1/cancel"])
def test_actions_on_replay_requests_require_the_right_to_replay_and_a_post_with_csrf_token(
    receiver: str, action: str
) -> None:
    stored(record_of(7), receiver)
    url = f"{LIST}{action}/"
    for rights in ({*Right} - {Right.REPLAY}, {*Right} - {Right.VIEW}):
        assert client_with(*rights).post(url, ALL | {"confirmed": "yes"}).status_code == 403
    assert client_with(*Right).get(url).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff_with(*Right))
    assert strict.post(url, ALL).status_code == 403
    assert not ReplayRequest.objects.exists()


def test_a_user_with_only_the_right_to_view_sees_replay_requests_without_buttons(receiver: str) -> None:
    request = made(receiver)
    client = client_with(Right.VIEW)
    assert f"{LIST}{request.pk}/" in client.get(LIST).content.decode()
    page = client.get(f"{LIST}{request.pk}/").content.decode()
    assert "Look again" in page
    assert "event-bus-button" not in page
    for number in (request.pk + 1, "9" * 30):
        assert client.get(f"{LIST}{number}/").status_code == 404


def test_the_page_of_a_replay_request_counts_the_results_of_its_letters(receiver: str) -> None:
    letters = [stored(record_of(7, offset=offset), receiver) for offset in range(6)]
    confirmed(client_with(Right.VIEW, Right.REPLAY), ALL)
    request = ReplayRequest.objects.get()
    ends = [(LetterState.SUCCEEDED, ""), (LetterState.PARTLY, f"succeeded here; stays for {GONE}")]
    ends += [(LetterState.FAILED, f"{receiver}: KeyError")] * 3
    for number, (state, error) in enumerate([*ends, (LetterState.SKIPPED, "it is gone")]):
        RequestedLetter.objects.filter(request=request, number=number).update(state=state, error=error)
    ReplayRequest.objects.update(state=RequestState.DONE, ended_at=1_767_323_045_678)
    page = client_with(Right.VIEW).get(f"{LIST}{request.pk}/").content.decode()
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>(?:<span[^>]*>)*([^<\n]*)", page))
    names = (
        "State",
        "Succeeded",
        "Succeeded, kept for other receivers",
        "Failed",
        "Skipped",
        "Waiting",
    )
    assert {name: facts[name] for name in names} == {
        "State": "done",
        "Succeeded": "1",
        "Succeeded, kept for other receivers": "1",
        "Failed": "3",
        "Skipped": "1",
        "Waiting": "0",
    }
    assert "6 of 6 letters done State" in text_of(page), "beside the bar"
    assert re.search(r"\d:05 CST ", text_of(page)), "times have seconds"
    assert f"{receiver}: KeyError 3 " in text_of(page)
    assert f"succeeded here; stays for {GONE} 1 " in text_of(page)
    assert "it is gone 1 " in text_of(page)
    assert f"certificates:0:1 Succeeded, kept for other receivers succeeded here; stays for {GONE}" in text_of(page)
    assert f"{LETTERS}{letters[4].pk}/" in page
    assert f"{LETTERS}{letters[5].pk}/" not in page, "a letter that was skipped may be gone"
    assert "Look again" not in page
    assert "6 of 6" in client_with(Right.VIEW).get(LIST).content.decode()


def test_the_report_on_a_replay_request_names_an_obstacle_if_heartbeats_are_off_or_no_worker_of_its_group_lives(
    receiver: str,
) -> None:
    request = made(receiver, state=RequestState.RUNNING, beat_at=1)
    found = requests.report_of(request.pk)
    assert found is not None
    assert "No worker of group mail lives" in found.obstacle
    fill("default", Amounts(days=1, every=600, letters=0, outbox=0, parked=0, requests=0))
    assert [one.obstacle for one in requests.reports(1)] == [""], "another worker of the group takes it over"
    with override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0):
        assert "is not known" in next(one.obstacle for one in requests.reports(1))


def beat(worker: UUID, receiver: str, **state: Any) -> None:
    """Store the heartbeat of a running worker whose state contains ``state``."""
    about: dict[str, Any] = {"kind": "consumer", "host": "h", "pid": 1, "service": "", "version": "0", "topics": []}
    about |= {"group": "mail", "period": 10.0, "state": {"replaying": None, "receivers": [receiver]} | state}
    Heartbeat.objects.beat(worker, age=1.0, **about)


def prospect_of(request: ReplayRequest) -> str:
    """
    Return the words with which the page of a request says when a worker takes the request. If the page does not contain
    these words, return an empty text.
    """
    page = client_with(Right.VIEW).get(f"{LIST}{request.pk}/").content.decode()
    found = re.search(r"within a few seconds|do replay requests? [\d, ]+ first", text_of(page))
    return found[0] if found else ""


def test_the_page_of_a_waiting_replay_request_says_when_a_worker_takes_the_request(receiver: str) -> None:
    request, worker = made(receiver), uuid4()
    beat(uuid4(), receiver, replaying={"request": 1_000_000})
    assert prospect_of(request) == "do replay request 1000000 first"
    beat(worker, "mail.receivers.other")
    assert prospect_of(request) == "do replay request 1000000 first", "the second worker could not do it"
    beat(worker, receiver)
    assert prospect_of(request) == "within a few seconds"
    ReplayRequest.objects.update(state=RequestState.PAUSED)
    assert prospect_of(request) == ""


def test_the_plan_and_the_pages_of_a_waiting_replay_request_say_that_no_worker_is_ready(receiver: str) -> None:
    request, client = made(receiver), client_with(Right.VIEW)
    beat(uuid4(), receiver, obstacles=["slow receiver: app.grade"])
    pages = [text_of(client.get(url).content.decode()) for url in (LIST, f"{LIST}{request.pk}/")]
    for told in (*pages, requests.obstacle_before("mail", [])):
        assert "No worker of group mail is ready (slow receiver: app.grade): until that is mended, the replay" in told
    beat(uuid4(), receiver, obstacles=[])
    assert requests.obstacle_before("mail", []) == ""
    assert "is ready" not in text_of(client.get(LIST).content.decode())


def test_the_page_of_a_waiting_replay_request_names_the_requests_that_workers_take_first(receiver: str) -> None:
    first = made(receiver)
    values = {"group": "mail", "receivers": [receiver], "requested_at": 1, "stop_after": 20}
    second, _later = (ReplayRequest.objects.create(state=RequestState.REQUESTED, **values) for _ in range(2))
    beat(uuid4(), receiver)
    for changes, is_soon in (
        ({}, False),
        ({"receivers": ["mail.receivers.other"]}, True),  # no worker has it
        ({"state": RequestState.RUNNING, "worker": "h:1"}, False),  # the heartbeat is older than the claim
        ({"worker": "h:2"}, True),
    ):
        ReplayRequest.objects.filter(pk=first.pk).update(**changes)
        expected = "within a few seconds" if is_soon else f"do replay request {first.pk} first"
        assert prospect_of(second) == expected, changes


def test_the_list_shows_why_a_replay_request_waits_and_when_a_replay_request_ended(receiver: str) -> None:
    first = made(receiver)
    values = {"group": "mail", "receivers": [receiver], "requested_at": 1, "stop_after": 20}
    later = [ReplayRequest.objects.create(state=RequestState.REQUESTED, **values) for _ in range(3)]
    ReplayRequest.objects.create(state=RequestState.DONE, ended_at=1_767_323_045_678, **values)
    beat(uuid4(), receiver)
    client = client_with(Right.VIEW)
    client.get(LIST)
    with CaptureQueriesContext(connection) as captured:
        page = text_of(client.get(LIST).content.decode())
    assert len(captured) <= 15
    assert "A worker of group mail takes it within a few seconds." in page
    assert f"do replay request {first.pk} first" in page
    for numbers in ([first.pk, later[0].pk], [first.pk, later[0].pk, later[1].pk]):
        assert f"do replay requests {', '.join(map(str, numbers))} first" in page
    assert (page.count("waiting for a worker"), page.count("waiting for its turn")) == (1, 3)
    assert "Kept for other receivers" not in page
    RequestedLetter.objects.update(state=LetterState.PARTLY)
    assert "Kept for other receivers" in client.get(LIST).content.decode()
    assert "2026-01-01 21:04:05 CST" in page
    assert "Look again" in page


def test_the_overview_links_to_replay_requests_that_have_not_ended(receiver: str) -> None:
    overview = reverse("admin:event_bus_kafka_eventbus_changelist")
    request = made(receiver)
    assert f'<a href="{LIST}">1 requested</a>' in client_with(Right.VIEW).get(overview).content.decode()
    requests.change_request(requests.CANCEL, request.pk, "anna")
    assert "1 requested" not in client_with(Right.VIEW).get(overview).content.decode()


def test_letters_are_shown_without_replay_buttons_if_the_table_of_replay_requests_is_missing(
    receiver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(record_of(7), receiver)
    monkeypatch.setattr("event_bus_kafka.admin.pages.were_found", lambda _connection, model: model != ReplayRequest)
    client = client_with(Right.VIEW, Right.REPLAY)
    letters = client.get(LETTERS).content.decode()
    assert "certificates:0:0" in letters
    assert "Replay all" not in letters
    for answer in (client.get(f"{LIST}1/"), client.post(REQUEST, ALL)):
        assert (answer.status_code, "manage.py migrate" in answer.content.decode()) == (200, True)


def test_the_page_of_a_waiting_replay_request_makes_at_most_15_queries(receiver: str) -> None:
    request, client = made(receiver), client_with(Right.VIEW, Right.REPLAY)
    beat(uuid4(), receiver)
    client.get(f"{LIST}{request.pk}/")
    with CaptureQueriesContext(connection) as captured:
        client.get(f"{LIST}{request.pk}/")
    assert len(captured) <= 15


def test_the_page_of_the_plan_makes_at_most_15_queries(receiver: str) -> None:
    multiply(stored(record_of(7), receiver, GONE), [{"offset": offset} for offset in range(1, 30)])
    client = client_with(Right.VIEW, Right.REPLAY)
    client.post(REQUEST, ALL)
    with CaptureQueriesContext(connection) as captured:
        client.post(REQUEST, ALL)
    assert len(captured) <= 15
