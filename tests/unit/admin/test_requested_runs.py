"""The admin pages plan and request replays of topics and backfills, and show their progress."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, connections
from django.test import Client, override_settings
from openedx_events.learning.signals import CERTIFICATE_CHANGED, CERTIFICATE_CREATED

from event_bus_kafka import backfill_source
from event_bus_kafka.models import Heartbeat, PausedReceiver, ReplayRequest, RequestedRun, Right
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import CREATED, SandboxBus
from tests.support.admin_clients import client_with, staff_with, unbroken
from tests.support.examples_of import certificate
from tests.support.requested_runs import progress_of
from tests.support.sending import send
from tests.unit.admin.conftest import award
from tests.unit.admin.test_replay_requests import said, text_of

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/event_bus_kafka/replayrequest/"
TOPIC, BACKFILL = f"{LIST}topic/", f"{LIST}backfill/"
SOURCE = f"{__name__}.users"


@backfill_source(CERTIFICATE_CREATED, count=lambda after: 9 - int(after or 0))
def users(after: str | None) -> Iterator[Any]:
    yield from ()


@pytest.fixture(scope="module")
def with_records(sandbox: Sandbox) -> str:
    """Return a topic with three records."""
    name = "pages-of-runs"
    sandbox.create_topic(name, 1)
    send(SandboxBus(sandbox), name, *map(certificate, range(3)))
    return name


@pytest.fixture
def topic(sandbox: Sandbox, with_records: str) -> Iterator[str]:
    with override_settings(**SandboxBus(sandbox).settings(with_records), EVENT_BUS_KAFKA_HEARTBEAT=10):
        yield with_records


def filled(topic: str, /, **changes: Any) -> dict[str, Any]:
    return {"topic": topic, "start": "earliest", "group": "mail", "stop_after": "20"} | changes


def confirmed(client: Client, url: str, posted: dict[str, Any], **changes: Any) -> Any:
    """Post a form to see the plan, then request the plan with ``changes``; return the final answer."""
    page = client.post(f"{url}plan/", posted).content.decode()
    return client.post(f"{url}plan/", _fields(page) | {"confirmed": "yes"} | changes)


def _fields(page: str) -> dict[str, str]:
    _, _, form = page.partition('<form method="post" class="event-bus-form">')
    tags = re.findall(r"<input [^>]+>", form.partition("</form>")[0])
    found = [(re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in tags]
    return {name[1]: value[1].replace("&quot;", '"') for name, value in found if name and value}


def test_a_replay_is_requested_for_the_offsets_that_the_plan_has_shown(sandbox: Sandbox, topic: str) -> None:
    user = staff_with(Right.VIEW, Right.REPLAY, name="anna")
    client = Client()
    client.force_login(user)
    assert f'href="{TOPIC}"' in client.get(LIST).content.decode()
    assert f'action="{TOPIC}plan/"' in client.get(TOPIC).content.decode()
    posted = filled(topic, key="4711", event_type=CREATED, rate="5", reason="the cache was empty")
    page = unbroken(client.post(f"{TOPIC}plan/", posted).content.decode())
    assert f"Workers of group mail would give records of topic {topic} to receivers again" in page
    assert f"{topic}:0 0 3 " in text_of(page)
    assert "3 offsets in 1 partition: at most as many records." in text_of(page)
    facts = "Only this event type {type} Only this key *** Speed at most 5 events per second Stops after 20 failures"
    assert facts.format(type=CREATED) in text_of(page)
    assert "Reason the cache was empty" in text_of(page)
    assert "Request the replay of 3 offsets" in page
    assert 'event-bus-bad"><span>No worker of group mail lives that knows of such requests' in unbroken(page)
    assert not ReplayRequest.objects.exists()
    send(SandboxBus(sandbox), topic, certificate(9))
    done = client.post(f"{TOPIC}plan/", _fields(page) | {"confirmed": "yes"})
    request, run = ReplayRequest.objects.get(), RequestedRun.objects.get()
    assert done.headers["Location"] == f"{LIST}{request.pk}/"
    assert (request.group, request.rate, request.requested_by, request.state) == ("", 5, "anna", "requested")
    assert (run.group, run.arguments["key"], run.arguments["event_type"]) == ("mail", "4711", CREATED)
    assert progress_of(request.pk).total == 3, "a record that was sent after the plan is not replayed"
    (entry,) = LogEntry.objects.all()
    assert (entry.user, entry.object_id) == (user, str(request.pk))
    assert entry.get_change_message() == (
        f"Requested replay {request.pk}: topic {topic}, 3 offsets, by workers of group mail; receivers: all that "
        "listen. Reason: the cache was empty."
    )
    page = unbroken(client.get(f"{LIST}{request.pk}/").content.decode())
    assert "Reason: the cache was empty. Nothing has run yet." in page
    for text in ("0 of 3 offsets done", "anna", "the cache was empty", f"only {CREATED}, only one key"):
        assert text in page
    assert f"consume_events -t {topic} -g mail" in page
    assert f"replay_events -t {topic}:0 --from 0 --to 3" in page
    assert "--key … --rate 5 --apply" in page
    assert "4711" not in page
    assert f"topic {topic} mail 0 of 3 offsets" in text_of(client.get(LIST).content.decode())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"topic": "nowhere:x"}, "Write it as topic, or topic:partition."),
        ({"start": "soon"}, "else an offset, earliest or latest"),
        ({"end": "-1"}, "else an offset, earliest or latest"),
        ({"group": ""}, "This field is required"),
        ({"rate": "0"}, "greater than or equal to 0.01"),
    ],
)
def test_the_form_for_a_replay_of_a_topic_names_invalid_values_and_requests_nothing(
    topic: str, changes: dict[str, str], problem: str
) -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    for more in ({}, {"confirmed": "yes", "places": json.dumps([[topic, 0, 0, 3]])}):
        page = client.post(f"{TOPIC}plan/", filled(topic, **changes, **more)).content.decode()
        assert problem in page
    assert not ReplayRequest.objects.exists()


@pytest.mark.parametrize(
    "places",
    [
        "",
        "[]",
        "nonsense",
        '[["other", 0, 0, 3]]',
        '[["x"]]',
        "{}",
        "7",
        '[["pages-of-runs", 0, Infinity, 5]]',
        '[["pages-of-runs", 0, -2, 5]]',
        '[["pages-of-runs", -1, 0, 5]]',
        '[["pages-of-runs", 0, 3, 1]]',
        '[["pages-of-runs", 0, 0, 99999999999999999999]]',
        "[" * 100_000,
    ],
)
def test_no_replay_is_requested_if_the_posted_offsets_are_missing_or_invalid(topic: str, places: str) -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    answer = client.post(f"{TOPIC}plan/", filled(topic, confirmed="yes", places=places))
    assert (answer.status_code, "Request the replay" in answer.content.decode()) == (200, True)
    assert not ReplayRequest.objects.exists()


def routed(topic: str) -> dict[str, Any]:
    return {CREATED: {topic: {"event_key_field": "certificate.user.id", "enabled": False}}}


CHANGED = "org.openedx.learning.certificate.changed.v1"


@pytest.mark.parametrize(
    ("changes", "settings", "types", "basis"),
    [
        ({}, {}, (CREATED, CHANGED), "Of the receivers below, those run that listen to a record"),
        ({}, routed("pages-of-runs"), (CREATED,), f"event types in the settings of this service: {CREATED}."),
        ({"event_type": CHANGED}, routed("pages-of-runs"), (CHANGED,), f"of the chosen event type: {CHANGED}."),
        ({"receiver": "other"}, {}, (), "The receiver runs for its own types."),
    ],
)
def test_the_plan_names_the_receivers_that_would_run_and_marks_paused_ones(
    topic: str, receiver: str, changes: dict[str, str], settings: Any, types: tuple[str, ...], basis: str
) -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    CERTIFICATE_CHANGED.connect(award)
    try:
        with override_settings(EVENT_BUS_PRODUCER_CONFIG=settings):
            page, paused = (_planned(client, topic, changes, pauses=pauses) for pauses in ("", receiver))
    finally:
        CERTIFICATE_CHANGED.disconnect(award)
    assert basis in page
    row = re.search(rf"Receiver Events State {re.escape(receiver)} ([a-z0-9. ]+) not paused", page)
    assert set(row[1].split() if row else ()) == {*types}
    assert ("No receiver would run" in page) is (not types)
    assert ("1 receiver is paused, and would be called nevertheless." in paused) is bool(types)
    assert ("Receivers that may run" in page) is ("event_type" not in changes)


def test_the_plan_of_a_replay_warns_at_the_top_and_above_its_button_that_effects_may_be_repeated(topic: str) -> None:
    page = client_with(Right.VIEW, Right.REPLAY).post(f"{TOPIC}plan/", filled(topic)).content.decode()
    first, _, below = page.partition("and the like may happen twice")[2].partition("and the like may happen twice")
    assert "<h2>Choices</h2>" in first
    assert re.match(r"[^<]*</span></p>\s*<p[^>]*><button", below)


@pytest.mark.parametrize(("days", "mark"), [(0, "idle"), (2, "bad")])
def test_the_plan_of_a_replay_shows_a_pause_in_red_only_after_a_day(
    topic: str, receiver: str, days: int, mark: str
) -> None:
    PausedReceiver.objects.pause(receiver, at=datetime.now(UTC) - timedelta(days=days))
    page = client_with(Right.VIEW, Right.REPLAY).post(f"{TOPIC}plan/", filled(topic)).content.decode()
    assert re.search(rf'event-bus-{mark}"><span>paused since', page)


def _planned(client: Client, topic: str, changes: dict[str, str], *, pauses: str) -> str:
    """Return the text of the page with a plan. If ``pauses`` is the name of a receiver, pause this receiver first."""
    if pauses:
        PausedReceiver.objects.pause(pauses, at=datetime.now(UTC))
    return text_of(client.post(f"{TOPIC}plan/", filled(topic, **changes)).content.decode())


@override_settings(USE_TZ=True, TIME_ZONE="Asia/Shanghai")
def test_the_plan_shows_offsets_and_times_as_the_service_has_understood_them(topic: str) -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    for start, end, words in (
        ("earliest", "", "From the first record that is kept To, exclusive the end, when this plan was made"),
        ("1", "2", "From offset 1 To, exclusive offset 2"),
        ("2026-01-31T08:00Z", "", "From 2026-01-31 16:00:00 CST To, exclusive the end"),
    ):
        page = client.post(f"{TOPIC}plan/", filled(topic, start=start, end=end)).content.decode()
        assert words in text_of(page), start


def test_the_plan_of_a_replay_says_that_failures_make_no_new_dead_letters_and_links_to_the_dead_letters(
    topic: str,
) -> None:
    page = client_with(Right.VIEW, Right.REPLAY).post(f"{TOPIC}plan/", filled(topic)).content.decode()
    assert "A failure makes no new dead letter: it is counted, and the first 50 are listed" in page
    assert (
        f'<a href="/admin/event_bus_kafka/deadletter/?topic={topic}">replay the dead letters of this topic</a> instead'
        in page
    )


def test_the_page_of_backfills_shows_a_message_in_place_of_the_form_if_the_service_has_no_source(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_bus_kafka.producing.backfill._registered", {})
    page = client_with(*Right).get(BACKFILL).content.decode()
    assert ("This service has no backfill source." in page, '<form method="post" action' in page) == (True, False)


def test_a_replay_of_no_records_cannot_be_requested(topic: str) -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    page = client.post(f"{TOPIC}plan/", filled(topic, start="latest")).content.decode()
    assert ("There is no record" in page, "Request the replay" in page) == (True, False)


def test_a_backfill_can_be_requested_and_its_page_shows_the_token_to_resume_from(topic: str) -> None:
    client = client_with(Right.VIEW, Right.REPLAY, Right.OPERATE)
    assert SOURCE in client.get(BACKFILL).content.decode()
    posted = {"source": SOURCE, "resume": "2", "limit": "5", "stop_after": "20", "reason": "new service"}
    page = unbroken(client.post(f"{BACKFILL}plan/", posted).content.decode())
    assert f"5 items of {SOURCE} would be sent as events of type {CREATED}, to: {topic}." in page
    confirmed(client, BACKFILL, posted)
    request, run = ReplayRequest.objects.get(), RequestedRun.objects.get()
    assert (run.kind, run.group, run.arguments["limit"]) == ("backfill", "", 5)
    assert said() == [f"Requested replay {request.pk}: backfill of {SOURCE}, 5 items. Reason: new service."]
    progress = RunProgress(total=5, token="4", items=2, succeeded=1, failed=1, problems=[["3", "ValueError in x.py"]])
    RequestedRun.objects.update(progress=progress.as_json())
    page = unbroken(client.get(f"{LIST}{request.pk}/").content.decode())
    for text in (
        "2 of 5 items done",
        "ValueError in x.py",
        "at most 5 items",
        "--resume 4 --limit 3 --apply",
    ):
        assert text in page
    page = client.post(f"{BACKFILL}plan/", posted | {"source": "gone.source"}).content.decode()
    assert "This service has no such source." in page


def test_the_choices_of_a_plan_can_be_changed_without_filling_in_the_form_again(topic: str) -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    for start in ("earliest", "latest"):  # with latest, nothing would be replayed
        page = client.post(f"{TOPIC}plan/", filled(topic, start=start, key="4711", rate="5")).content.decode()
        assert 'name="change"' in page
        form = client.post(f"{TOPIC}plan/", _fields(page) | {"change": "yes"}).content.decode()
        assert "Show what it would do" in form
        for text in (f'value="{start}"', 'value="4711"', f'<option value="{topic}">'):
            assert text in form
    assert not ReplayRequest.objects.exists()


def test_a_requested_replay_shows_an_obstacle_until_a_worker_supports_runs_and_has_the_receiver(topic: str) -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    receiver = "mail.receivers.note"
    confirmed(client, TOPIC, filled(topic, receiver=receiver))
    url = f"{LIST}{ReplayRequest.objects.get().pk}/"
    about: dict[str, Any] = {"kind": "consumer", "host": "h", "pid": 1, "service": "", "version": "0", "topics": []}
    beat = Heartbeat(id="0" * 32, group="mail", period=10.0, started_at=1, beat_at=database_now("default"), **about)
    for state, is_obstacle in (
        ({"replaying": None}, True),
        ({"takes_runs": True, "receivers": ["mail.receivers.other"]}, True),
        ({"takes_runs": True, "receivers": [receiver]}, False),
        ({"takes_runs": True}, False),
    ):
        beat.state = state
        beat.save()
        page = client.get(url).content.decode()
        assert ("No worker of group mail" in page) is is_obstacle, state
        assert ("A worker of group mail takes it within a few seconds." in page) is not is_obstacle, state


@pytest.mark.parametrize("url", [TOPIC, BACKFILL])
def test_a_replay_needs_the_right_to_replay_and_a_backfill_also_the_right_to_operate(topic: str, url: str) -> None:
    for rights in ({*Right} - {Right.REPLAY}, {*Right} - {Right.VIEW}):
        client = client_with(*rights)
        assert client.get(url).status_code == client.post(f"{url}plan/", {"confirmed": "yes"}).status_code == 403
    replayer = client_with(Right.VIEW, Right.REPLAY)
    is_enough = url == TOPIC  # a backfill sends events
    assert (replayer.get(url).status_code, replayer.post(f"{url}plan/").status_code) == (
        (200, 200) if is_enough else (403, 403)
    )
    assert (f'href="{url}"' in replayer.get(LIST).content.decode()) is is_enough
    viewer = client_with(Right.VIEW)
    assert f'href="{url}"' not in viewer.get(LIST).content.decode()
    assert client_with(*Right).get(f"{url}plan/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff_with(*Right))
    assert strict.post(f"{url}plan/", filled(topic)).status_code == 403


@override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"late": ["grades"]})
def test_the_form_for_a_replay_of_a_topic_marks_required_fields_and_offers_subscribed_groups(topic: str) -> None:
    form = unbroken(client_with(Right.VIEW, Right.REPLAY).get(TOPIC).content.decode())
    assert '<option value="late"></option>' in form
    labels = re.findall(r"<label[^>]*>([^<]+) <span[^>]*>\(required\)</span></label>", form)
    assert [label.split(":")[0] for label in labels] == [
        "Topic, or topic",
        "From",
        "Group whose workers do it",
        "Stop after this many failures in a row",
    ]


def test_a_requested_replay_of_a_topic_can_be_paused_and_resumed_and_cancelled(topic: str) -> None:
    client = client_with(Right.VIEW, Right.REPLAY)
    confirmed(client, TOPIC, filled(topic))
    here = f"{LIST}{ReplayRequest.objects.get().pk}/"
    for step, state in (("pause", "paused"), ("resume", "requested"), ("cancel", "stopped")):
        client.post(f"{here}{step}/", {"confirmed": "yes"})
        assert ReplayRequest.objects.get().state == state


def test_the_plan_of_a_backfill_counts_items_outside_a_transaction_despite_djangos_atomic_requests_setting(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted_in_transaction: list[bool] = []

    def count(*_: Any) -> int:
        counted_in_transaction.append(connection.in_atomic_block)
        return 1

    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    monkeypatch.setattr("event_bus_kafka.admin.replay_requests.run_planning.count_items", count)
    client_with(*Right).post(f"{BACKFILL}plan/", {"source": SOURCE, "stop_after": "20"})
    assert counted_in_transaction == [False], "an error of the source would break the transaction of the page"


def test_the_pages_report_sources_that_cannot_be_imported_and_runs_made_by_a_later_version_of_the_package(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_name: str) -> None:
        raise ImportError("learner@example.com")

    monkeypatch.setattr("event_bus_kafka.producing.backfill.autodiscover_modules", broken)
    client = client_with(*Right)
    confirmed(client, TOPIC, filled(topic))
    page = client.post(f"{BACKFILL}plan/", {"source": SOURCE, "stop_after": "20"}).content.decode()
    assert "of an app cannot be imported: ImportError" in text_of(page)
    assert "learner" not in page
    RequestedRun.objects.update(kind="later", arguments={})
    for url in (LIST, f"{LIST}{ReplayRequest.objects.get().pk}/"):
        assert "later, of a later version" in text_of(client.get(url).content.decode())


def test_replays_of_topics_are_not_offered_if_the_table_of_runs_is_missing(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_bus_kafka.admin.replay_requests.run_pages.are_possible", lambda: False)
    client = client_with(Right.VIEW, Right.REPLAY)
    assert f'href="{TOPIC}"' not in client.get(LIST).content.decode()
    for answer in (client.get(TOPIC), client.post(f"{TOPIC}plan/", filled(topic))):
        assert "manage.py migrate" in answer.content.decode()
