"""The page "Where is this event?" links to the places of an event. Its buttons depend on the rights of the user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory, override_settings

from event_bus_kafka.admin.whereabouts import actions_of
from event_bus_kafka.models import HistoryRow, ParkedRecord, Right
from event_bus_kafka.operations.whereabouts.answer import GroupPlace, Reached
from event_bus_kafka.operations.whereabouts.sentences import AnswerLine
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.wire.headers import pack
from tests.support.admin_clients import client_with, staff_with, unbroken
from tests.support.letters import record_of, stored

pytestmark = pytest.mark.django_db
BASE = "/admin/event_bus_kafka"


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    with override_settings(
        EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url, EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=None
    ):
        yield


@pytest.fixture
def event_id() -> str:
    """Return the id of an event that is a dead letter and is also parked."""
    record = record_of(7, offset=3)
    value = dict(record.headers)["ce_id"]
    assert isinstance(value, bytes)
    stored(record, "app.award")
    row: dict[str, Any] = {"shard": 1, "key": b"k", "body": b"v", "schema_id": 1, "size": 2, "created": 0}
    headers = pack((("ce_id", value),))
    parked = {"code": "MSG_SIZE_TOO_LARGE", "reason": "too large", "parked_at": 1_767_323_045_678}
    ParkedRecord.objects.create(id=5, topic="prod-certificates", headers=headers, **parked, **row)
    return value.decode()


def where(event_id: str, *rights: Right) -> str:
    answer = client_with(Right.VIEW, *rights).post(f"{BASE}/historyrow/where/", {"event_id": event_id})
    return re.sub(r"\s+", " ", unbroken(answer.content.decode()))


def test_the_answer_to_a_search_for_an_event_links_to_its_dead_letter_and_shows_commands_as_code(event_id: str) -> None:
    shown = where(event_id)
    place = r"(\S+:0:3)"
    ((number, _),) = re.findall(rf'<a href="{BASE}/deadletter/(\d+)/">Dead letter {place}</a>', shown)
    assert re.search(rf"Dead letter {place} \(number {number}\) in group", shown)
    assert f'<a href="{BASE}/parkedrecord/">Outbox</a>' in shown
    assert f"To replay it: <code>manage.py event_dead_letters replay {number} --apply</code>" in shown
    assert "Once the cause is gone: <code>manage.py event_outbox release 5 --apply</code>" in shown


def test_the_answer_to_a_search_for_an_event_begins_with_the_outcome(event_id: str) -> None:
    shown = where(event_id)
    letter = r"Its dead letter \(number \d+\) waits for a replay, once what failed is mended and deployed\."
    outcome = rf"app\.award, 5 attempts, \w+\. {letter} Parked in the outbox"
    assert re.search(rf'event-bus-bad event-bus-outcome"><strong>Failed: {outcome}', shown)
    assert shown.index("<strong>Failed: ") < shown.index("<h2>What is known</h2>")


def test_the_answer_to_a_search_for_an_event_does_not_name_the_event_in_its_title(event_id: str) -> None:
    shown = where(event_id)
    assert f"Event {event_id} of type" in shown
    assert event_id not in shown[: shown.index("<h2>What is known</h2>")]


def test_the_answer_to_a_search_for_an_event_formats_times_as_other_pages_do_and_lists_the_details(
    event_id: str,
) -> None:
    shown = where(event_id)
    assert "Parked since 2026-01-01 21:04:05 CST: row 5" in shown
    assert re.search(r"<ul> <li>app\.award: failed after 5 attempts, the last 2026-01-01 21:04:05 CST: ", shown)
    assert not re.search(r"\d\dT\d\d", shown)


def test_the_answer_to_a_search_for_an_event_has_a_replay_button_only_for_users_with_the_right_to_replay(
    event_id: str,
) -> None:
    button = f'<form method="post" action="{BASE}/replayrequest/request/">'
    assert button not in where(event_id)
    assert button in where(event_id, Right.REPLAY)


@override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"mail": ["grades"]})
def test_the_answer_to_a_search_for_an_event_links_a_group_only_if_the_group_has_a_page() -> None:
    request = RequestFactory().post("/")
    request.user = staff_with(Right.VIEW)
    actions = actions_of(admin.site.get_model_admin(HistoryRow), request)  # type: ignore[arg-type]

    def linked(group: str) -> list[str]:
        place = GroupPlace(group=group, reached=Reached.BEYOND, committed=15, before=0, lag=0)
        return [str(one) for one in actions(AnswerLine(text="", place=place))]

    assert (linked("mail"), linked("other-service")) == (["Group mail"], [])
