"""Each action on the admin pages requires a right and a confirmation. Changes are recorded in Django's history."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connections
from django.test import Client
from django.urls import resolve

from event_bus_kafka.admin.ages import moment_of
from event_bus_kafka.admin.outboxes import parked
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.models import Heartbeat, HistoryRow, OutboxRecord, ParkedRecord, PausedReceiver, Right
from event_bus_kafka.wire.headers import pack
from tests.support.admin_clients import client_with, staff_with, unbroken

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("filled")]

CODE, TOPIC = "MSG_SIZE_TOO_LARGE", "prod-0"
DONE = {"release": "Released", "discard": "Discarded"}
PLANNED = {"release": "released.", "discard": "deleted for good"}


def url(model: Any, name: str) -> str:
    page = admin.site.get_model_admin(model)
    assert isinstance(page, Page)
    return page.url(name)


def confirmed(client: Client, target: str, **posted: str) -> tuple[str, Any]:
    """
    Post an action, then post the form of its confirmation page. Return the text of the confirmation page and the final
    answer.
    """
    asked = client.post(target, posted)
    assert asked.status_code == 200
    again = dict(asked.context["fields"]) | {asked.context["confirmed"]: "yes"} | posted
    return asked.content.decode(), client.post(target, again)


def selected(**changes: str) -> dict[str, str]:
    return {"database": "default", "topic": TOPIC, "code": CODE} | changes


def _park(count: int, **changes: Any) -> list[int]:
    """Park ``count`` copies of the latest parked row of TOPIC, with ``changes``; return the ids of the copies."""
    row = ParkedRecord.objects.filter(topic=TOPIC, code=CODE).latest("pk")
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields} | changes
    rows = [ParkedRecord(**values | {"id": row.pk + 1_000 + number}) for number in range(count)]
    return [one.pk for one in ParkedRecord.objects.bulk_create(rows)]


def told() -> list[str]:
    return [entry.change_message for entry in LogEntry.objects.order_by("pk")]


@pytest.mark.parametrize(("action", "released"), [("release", 2), ("discard", 0)])
def test_parked_rows_are_released_or_discarded_after_a_confirmation(action: str, released: int) -> None:
    client, before = client_with(*Right), (ParkedRecord.objects.count(), OutboxRecord.objects.count())
    client.post(url(ParkedRecord, action), selected())
    assert (ParkedRecord.objects.count(), OutboxRecord.objects.count()) == before, (
        "the first post only asks for a confirmation"
    )
    asked, answer = confirmed(client, url(ParkedRecord, action), **selected())
    assert f"2 parked events would be {PLANNED[action]}" in asked
    assert answer.headers["Location"] == url(ParkedRecord, "changelist")
    assert (ParkedRecord.objects.count(), OutboxRecord.objects.count()) == (before[0] - 2, before[1] + released)
    assert told() == [f"{DONE[action]} 2 parked events."]


@pytest.mark.parametrize("action", ["release", "discard"])
def test_an_action_that_runs_out_of_time_reports_the_remaining_parked_rows_and_can_be_continued(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _park(148)
    monkeypatch.setattr(parked, "_SECONDS", 0.0)
    client = client_with(*Right)
    _, page = confirmed(client, url(ParkedRecord, action), **selected())
    shown = page.content.decode()
    assert f"{DONE[action]} 100 parked events. There was not enough time for all in one go." in shown
    assert f"50 parked events would be {PLANNED[action]}" in shown
    late = _park(1, parked_at=int(page.context["plan"].fields["last"]) + 1)
    last = client.post(url(ParkedRecord, action), dict(page.context["fields"]) | {"confirmed": "yes"})
    assert last.status_code == 302
    assert list(ParkedRecord.objects.filter(topic=TOPIC, code=CODE).values_list("pk", flat=True)) == late
    assert told() == [f"{DONE[action]} {count} parked events." for count in (100, 50)]


@pytest.mark.parametrize("action", ["release", "discard"])
def test_actions_on_parked_rows_are_exempt_from_djangos_atomic_requests_setting(action: str) -> None:
    view: Any = resolve(url(ParkedRecord, action)).func
    assert view._non_atomic_requests >= set(connections)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["release", "discard"])
def test_an_action_reports_the_rows_that_were_changed_before_the_database_failed(action: str) -> None:
    _park(148)
    done: list[str] = []

    def refuse(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("DELETE") and "parkedrecord" in sql:
            done.append(sql)
            if len(done) == 2:
                raise OperationalError("gone away")
        return execute(sql, *arguments)

    client = client_with(*Right)
    asked = client.post(url(ParkedRecord, action), selected())
    with connections["default"].execute_wrapper(refuse):
        answer = client.post(url(ParkedRecord, action), dict(asked.context["fields"]) | {"confirmed": "yes"})
    assert answer.status_code == 302
    (words,) = told()
    assert words.startswith(f"{DONE[action]} 100 parked events. Then the database failed: ")
    assert ParkedRecord.objects.filter(topic=TOPIC, code=CODE).count() == 50


def test_rows_are_not_discarded_if_they_were_parked_after_the_confirmation_page() -> None:
    client = client_with(*Right)
    asked = client.post(url(ParkedRecord, "discard"), selected())
    late = ParkedRecord.objects.filter(topic=TOPIC, code=CODE).latest("parked_at")
    late.pk, late.parked_at = late.pk + 1_000, late.parked_at + 1
    late.save(force_insert=True)
    client.post(url(ParkedRecord, "discard"), dict(asked.context["fields"]) | {"confirmed": "yes"})
    assert [one.pk for one in ParkedRecord.objects.filter(topic=TOPIC, code=CODE)] == [late.pk]


@pytest.mark.parametrize(
    ("action", "sentence"),
    [("release", "It goes back to its place"), ("discard", "deleted for good: it is never sent")],
)
def test_the_confirmation_page_for_a_single_row_is_worded_in_the_singular(action: str, sentence: str) -> None:
    ticked = {"database": "default", "row": str(ParkedRecord.objects.latest("pk").pk)}
    assert sentence in client_with(*Right).post(url(ParkedRecord, action), ticked).content.decode()


def test_only_ticked_rows_are_released() -> None:
    first, second = ParkedRecord.objects.order_by("pk")[:2]
    confirmed(client_with(*Right), url(ParkedRecord, "release"), database="default", row=str(first.pk))
    assert not ParkedRecord.objects.filter(pk=first.pk).exists()
    assert ParkedRecord.objects.filter(pk=second.pk).exists()
    assert told() == ["Released 1 parked event."]


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {"database": "default", "topic": TOPIC},
        {"database": "default", "code": CODE},
        selected(database="elsewhere"),
        selected(last="x"),
        {"database": "default", "row": "1 OR 1=1"},
        {"database": "default", "row": "9" * 30},
    ],
)
@pytest.mark.parametrize("action", ["release", "discard"])
def test_posting_a_form_without_a_valid_selection_returns_404_and_changes_nothing(
    action: str, posted: dict[str, str]
) -> None:
    count = ParkedRecord.objects.count()
    answer = client_with(*Right).post(url(ParkedRecord, action), posted | {"confirmed": "yes"})
    assert answer.status_code == 404
    assert ParkedRecord.objects.count() == count


@pytest.mark.parametrize("action", ["release", "discard"])
def test_an_action_without_ticked_rows_asks_to_tick_rows_first(action: str) -> None:
    count, posted = ParkedRecord.objects.count(), {"database": "default", "confirmed": "yes"}
    answer = client_with(*Right).post(url(ParkedRecord, action), posted, follow=True)
    assert "Nothing was done: tick parked events first." in answer.content.decode()
    assert ParkedRecord.objects.count() == count


def test_the_confirmation_page_lists_parked_events_with_their_ids_types_and_times() -> None:
    headers = pack((("ce_type", b"org.openedx.test.v1"), ("ce_id", b"7c8a2b9e-0f47-4d1c-9a3d-2f6f5a1c0b11")))
    _park(100, headers=headers)
    asked = client_with(*Right).post(url(ParkedRecord, "release"), selected())
    (table,) = asked.context["plan"].tables
    assert (table.caption, len(table.rows)) == ("The oldest 100 of 102 events", 100)
    assert table.rows[0][:2] == ["unknown", "unknown"]
    assert table.rows[-1][:4] == [
        "7c8a2b9e-0f47-4d1c-9a3d-2f6f5a1c0b11",
        "org.openedx.test.v1",
        TOPIC,
        moment_of(ParkedRecord.objects.latest("pk").parked_at),
    ]
    assert (
        f"What to do about {CODE} before the release: Set the topic&#x27;s max.message.bytes to at least 1000 (the"
        in unbroken(asked.content.decode())
    )


def test_the_limit_that_the_confirmation_page_names_ignores_rows_parked_for_other_reasons() -> None:
    rows = [*_park(1, size=2_000_000), *(pk + 1 for pk in _park(1))]
    ParkedRecord.objects.filter(pk=rows[1] - 1).update(id=rows[1], code="INVALID_RECORD", size=9_000_000)
    asked = client_with(*Right).post(url(ParkedRecord, "release"), {"database": "default", "row": rows})
    assert "max.message.bytes to at least 2100000 (the" in unbroken(asked.content.decode())


def test_no_confirmation_is_offered_for_rows_that_are_no_longer_parked() -> None:
    asked = client_with(*Right).post(url(ParkedRecord, "release"), {"database": "default", "row": "1"}).content.decode()
    assert "None of these events is parked any more" in asked
    assert 'name="confirmed"' not in asked


def test_a_receiver_is_paused_with_a_reason_and_resumed(receiver: str) -> None:
    client = client_with(Right.VIEW, Right.OPERATE)
    asked, _ = confirmed(client, url(Heartbeat, "pause"), receiver=receiver, reason="Mails go out twice")
    assert "calls that run go on" in asked
    assert "After Resume, replay them on the page of dead letters: Resume alone does not." in asked
    (paused,) = PausedReceiver.objects.with_reasons()
    assert (paused.receiver, paused.reason) == (receiver, "Mails go out twice")
    page = client.get(url(Heartbeat, "changelist")).content.decode()
    assert "Mails go out twice" in page
    assert "paused since" in page
    confirmed(client, url(Heartbeat, "resume"), receiver=receiver)
    assert not PausedReceiver.objects.exists()
    assert told()[0] == f"Paused {receiver}: Mails go out twice."
    assert told()[1].startswith(f"Resumed {receiver}.")


def test_resuming_a_receiver_that_is_not_paused_changes_nothing(receiver: str) -> None:
    client = client_with(Right.VIEW, Right.OPERATE)
    asked = client.post(url(Heartbeat, "resume"), {"receiver": receiver, "confirmed": "yes"}).content.decode()
    assert "Somebody has done it already" in asked
    assert 'name="confirmed"' not in asked
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_pausing_or_resuming_an_unknown_receiver_returns_404(action: str) -> None:
    posted = {"receiver": "no.such", "confirmed": "yes"}
    assert client_with(*Right).post(url(Heartbeat, action), posted).status_code == 404


ACTIONS = [
    (ParkedRecord, "release", Right.OPERATE),
    (ParkedRecord, "discard", Right.DISCARD),
    (Heartbeat, "pause", Right.OPERATE),
    (Heartbeat, "resume", Right.OPERATE),
]


@pytest.mark.parametrize(("model", "action", "right"), ACTIONS)
def test_each_action_requires_a_specific_right_and_the_right_to_view(
    model: Any, action: str, right: Right, receiver: str
) -> None:
    before = ParkedRecord.objects.count()
    fields = selected(receiver=receiver, confirmed="yes", last="9" * 15)
    for rights in ({*Right} - {right}, {*Right} - {Right.VIEW}):
        assert client_with(*rights).post(url(model, action), fields).status_code == 403
    assert (ParkedRecord.objects.count(), PausedReceiver.objects.count()) == (before, 0)
    assert client_with(Right.VIEW, right).post(url(model, action), fields).status_code in {200, 302}


@pytest.mark.parametrize(("model", "action"), [*(one[:2] for one in ACTIONS), (HistoryRow, "where")])
def test_actions_require_post_and_a_csrf_token(model: Any, action: str) -> None:
    assert client_with(*Right).get(url(model, action), selected()).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff_with(*Right))
    assert strict.post(url(model, action), selected(confirmed="yes")).status_code == 403


def test_a_user_with_only_the_right_to_view_sees_no_buttons_and_no_checkboxes(receiver: str) -> None:
    for model in (ParkedRecord, Heartbeat):
        shown = client_with(Right.VIEW).get(url(model, "changelist")).content.decode()
        assert "event-bus-button" not in shown
        assert 'type="checkbox"' not in shown
    assert "Pause" in client_with(Right.VIEW, Right.OPERATE).get(url(Heartbeat, "changelist")).content.decode()
