"""The pages of workers and groups show heartbeats and pauses, and say what holds a group up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED
from pytest_django import DjangoAssertNumQueries

from event_bus_kafka.admin.workers import pending_letters
from event_bus_kafka.models import (
    DeadLetter,
    DeadLetterEntry,
    EntryState,
    EventBus,
    Heartbeat,
    HistoryRow,
    PausedReceiver,
    Right,
)
from tests.support.admin_clients import client_with, page, staff_with, text_of, unbroken

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("filled")]

TYPE = "org.openedx.learning.certificate.created.v1"
SENT = {TYPE: {"certificates": {"event_key_field": "certificate.user.id", "enabled": True, "mode": "outbox"}}}


def url(name: str = "changelist", *args: str) -> str:
    found: str = admin.site.get_model_admin(Heartbeat).url(name, *args)  # type: ignore[attr-defined]
    return found


def change(pid: int, **state: Any) -> None:
    """Change the state in the last heartbeat of a worker or relay."""
    row = Heartbeat.objects.get(pid=pid)
    row.state = {**row.state, **state}
    row.save()


def marks(*place: str) -> dict[str, str]:
    """Return a dict that maps the text of each marked cell or line on a page to the mark."""
    html = unbroken(client_with(Right.VIEW).get(url(*place)).content.decode())
    return {
        text: mark for mark, text in re.findall(r'event-bus-mark event-bus-(\w+)"><span>(?:<a [^>]+>)?([^<]+)', html)
    }


def slow(receiver: str, offset: int, seconds: float, stack: str) -> dict[str, Any]:
    about = {"topic": "prod-certificates", "partition": 0, "offset": offset}
    return {"receiver": receiver, "seconds": seconds, "stack": stack, **about}


def test_the_workers_page_shows_obstacles_and_workers_that_died_or_stopped(receiver: str) -> None:
    shown = page(Heartbeat)
    assert "slow receiver: app.receivers.grade" in shown
    assert "receivers.py:7 in grade" in shown
    assert receiver in shown
    Heartbeat.objects.update(beat_at=1)
    assert "has died" in page(Heartbeat)
    assert "has died" in page(Heartbeat, "group", "mail")
    Heartbeat.objects.update(stopped_at=1)
    assert "stopped" in page(Heartbeat)


@override_settings(EVENT_BUS_KAFKA_SLOW_RECEIVER=180)
def test_slow_calls_at_the_same_place_in_the_code_are_shown_once() -> None:
    stack = " < ".join(f"/srv/{number}.py:7 in step" for number in range(9))
    same = [slow("app.grade", offset, 200.0 + offset, stack) for offset in range(30)]
    change(100, slow_receivers=[slow("app.mail", 1, 240, "/srv/mail.py:8 in mail"), *same])
    html = client_with(Right.VIEW).get(url()).content.decode()
    shown = page(Heartbeat)
    assert shown.index("app.mail: 1 record, for 4 minutes") > shown.index("Slow receivers")
    assert shown.count("app.grade: 30 records, longest 3 minutes") == 1
    assert "once it has run for 3 minutes (EVENT_BUS_KAFKA_SLOW_RECEIVER)" in shown
    innermost, outer = shown.split("5 more frames")
    assert "/srv/3.py:7 in step" in innermost
    assert "/srv/4.py:7 in step" not in innermost
    assert outer.count("/srv/4.py:7 in step") == 1
    assert "prod-certificates:0:29, for 3 minutes, worker worker:100" in shown
    assert "and 10 more" in shown
    assert html.count("<details>") == 3
    assert "event-bus-button" not in html


def test_a_slow_receiver_links_to_the_section_about_slow_calls(receiver: str) -> None:
    change(100, slow_receivers=[slow(receiver, 1, 240, "/srv/mail.py:8 in mail")])
    html = unbroken(client_with(Right.VIEW).get(url()).content.decode())
    obstacle = '<a href="#slow">slow receiver: app.receivers.grade</a>'
    assert html.count(obstacle) == 2, "as what holds the group up, and as the state of the worker"
    assert '<a href="#slow">slow</a>' in html
    event_type = admin.site.get_model_admin(HistoryRow).url("type", TYPE)  # type: ignore[attr-defined]
    assert f'<a href="{url()}#slow">slow</a>' in client_with(Right.VIEW).get(event_type).content.decode()
    for pid in (100, 102):
        change(pid, slow_receivers=[])
    assert "#slow" not in client_with(Right.VIEW).get(url()).content.decode()


def test_a_receiver_that_shares_events_with_a_slow_receiver_is_not_shown_in_green(receiver: str) -> None:
    def note(**_kwargs: object) -> None: ...

    change(100, slow_receivers=[slow(receiver, 1, 240, "/srv/mail.py:8 in mail")])
    CERTIFICATE_CREATED.connect(note)
    try:
        assert marks()[f"receives; {receiver}, which gets the same events, is slow"] == "idle"
        change(100, slow_receivers=[])
        assert marks()["receives"] == "good"
    finally:
        CERTIFICATE_CREATED.disconnect(note)


@pytest.mark.parametrize("seconds", [1, 2, 50])
def test_the_fields_of_a_worker_stay_where_they_are_while_its_heartbeat_grows_older(seconds: int) -> None:
    Heartbeat.objects.update(beat_at=int(time() * 1000) - seconds * 1000)
    html = client_with(Right.VIEW).get(url()).content.decode()
    assert html.count('data-label="Last heartbeat">') == 4


def test_the_slow_calls_have_a_button_that_pauses_their_receiver() -> None:
    client = client_with(Right.VIEW, Right.OPERATE)
    for place in ([], ["group", "mail"]):
        assert f'action="{url("pause")}"' in client.get(url(*place)).content.decode()
    assert "event-bus-button" not in client_with(Right.VIEW).get(url("group", "mail")).content.decode()


def test_the_page_of_a_group_shows_its_offsets() -> None:
    shown = page(Heartbeat, "group", "mail")
    assert "prod-certificates:6 7 8 10 2 2 seconds waits for t:0:8 worker:102" in shown
    assert "manage.py event_offsets reset -g mail" in shown
    assert "prod-certificates:7 7 8 10 2 2 seconds 25% worker:102" in shown
    for pid in (100, 102):
        partitions = Heartbeat.objects.get(pid=pid).state["partitions"]
        change(pid, partitions=[one | {"full_because": ""} for one in partitions])
    assert "Window is full" not in page(Heartbeat, "group", "mail")


def test_the_page_of_a_group_lists_the_partition_with_the_largest_lag_first() -> None:
    partitions = Heartbeat.objects.get(pid=102).state["partitions"]
    partitions[-1]["lag"], partitions[0]["lag"] = 900, None
    change(102, partitions=partitions)
    shown = page(Heartbeat, "group", "mail")
    assert shown.index(" 900 ") < shown.index(" 10 2 ")


@pytest.mark.parametrize(("end", "text"), [(60, "60 not read yet"), (0, "0 no records"), (None, "– end not known yet")])
def test_the_page_of_a_group_says_why_the_lag_of_a_partition_is_unknown(end: int | None, text: str) -> None:
    (partition, *_) = Heartbeat.objects.get(pid=100).state["partitions"]
    unread = {"committed": None, "position": None, "end": end, "lag": None, "lag_age": None}
    change(100, partitions=[partition | unread])
    assert f"prod-certificates:0 – – {text} – " in page(Heartbeat, "group", "mail")


def test_the_state_of_a_group_is_that_of_its_worst_worker() -> None:
    assert " 1 of 2 not ready " in page(Heartbeat)
    html = client_with(Right.VIEW).get(url("group", "mail")).content.decode()
    assert re.search(r'event-bus-bad"><span>Workers: 1 of 2 not ready\. Lag: 12\.', html)
    change(100, obstacles=[])
    assert " 2 ready " in page(Heartbeat)
    change(102, is_alive=False)
    assert " 1 of 2 not ready " in page(Heartbeat)
    assert "hangs" in page(Heartbeat, "group", "mail")


def test_the_state_of_a_ready_relay_says_how_many_topics_it_holds() -> None:
    assert marks()["ready, holds 1 topic"] == "idle"
    (held,) = Heartbeat.objects.get(pid=200).state["held_topics"]
    change(200, held_topics=[held, held | {"seconds": 3_700.0}])
    assert marks()["ready, holds 2 topics"] == "bad"
    assert "A relay has been unable to send rows of a topic for an hour." in page(EventBus)
    change(200, held_topics=[held])
    shown = page(Heartbeat)
    assert "ready, holds 1 topic 3 prod-certificates, for 9 seconds" in shown
    assert "Why a topic is held, and what to do: Outbox" in shown
    change(200, held_topics=[], database="grades")
    shown = page(Heartbeat)
    assert "ready grades 3 – " in shown
    assert "Why a topic is held" not in shown
    assert marks()["ready"] == "good"


def test_the_workers_page_and_the_overview_say_how_to_start_a_worker_or_relay_if_none_runs(receiver: str) -> None:
    assert f"{receiver} {TYPE} receives" in page(Heartbeat)
    Heartbeat.objects.all().delete()
    shown, overview = page(Heartbeat), page(EventBus)
    assert f"{receiver} {TYPE} no worker runs" in shown
    for text in (shown, overview):
        assert "Start one: manage.py consume_events -g GROUP -t TOPIC" in text
        assert "None is needed: this service sends no events." in text
    with override_settings(EVENT_BUS_PRODUCER_CONFIG=SENT):
        assert "Start one: manage.py relay_events" in page(EventBus)
    with override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0):
        assert f"{receiver} {TYPE} not known: EVENT_BUS_KAFKA_HEARTBEAT is 0" in page(Heartbeat)


def test_the_pages_say_that_a_service_without_receivers_needs_no_worker() -> None:
    Heartbeat.objects.all().delete()
    for model in (Heartbeat, EventBus):
        assert "None is needed: no receiver of this service listens to an event." in page(model)


@override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"late": ["grades"]})
def test_the_pages_say_that_a_subscribed_group_has_no_worker_and_how_to_start_one() -> None:
    Heartbeat.objects.all().delete()
    shown, overview = page(Heartbeat), page(EventBus)
    assert "late no worker runs" in shown
    for text in (shown, overview):
        assert text.count("manage.py consume_events") == 1
        assert "manage.py consume_events -g late" in text
    html = client_with(Right.VIEW).get(admin.site.get_model_admin(EventBus).url()).content.decode()  # type: ignore[attr-defined]
    assert 'event-bus-idle"><span>None runs.</span>' in html
    shown = page(Heartbeat, "group", "late")
    assert shown.count("manage.py consume_events -g late") == 1
    assert "manage.py event_offsets show -g late" in shown
    assert "manage.py event_offsets reset -g late -t TOPIC --to-time TIME" in shown
    with override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0):
        assert "no worker runs" not in page(Heartbeat)
        assert "Not known: EVENT_BUS_KAFKA_HEARTBEAT is 0." in page(Heartbeat, "group", "late")


@override_settings(EVENT_BUS_TOPIC_PREFIX="prod")
def test_the_command_for_a_group_without_subscription_names_the_topics_of_its_last_worker() -> None:
    Heartbeat.objects.update(stopped_at=1)
    assert "start a worker: manage.py consume_events -t certificates -g mail" in page(Heartbeat)


def test_pauses_are_shown_on_the_pages_of_the_groups_whose_workers_have_the_receiver(
    receiver: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    assert "Paused" not in page(Heartbeat, "group", "mail")
    client = Client()
    client.force_login(staff_with(Right.VIEW, Right.OPERATE, name="anna"))
    client.post(url("pause"), {"receiver": receiver, "reason": "Mails go out twice", "confirmed": "yes"})
    PausedReceiver.objects.pause("app.gone", at=datetime.now(UTC))
    change(101, receivers=[receiver])
    with django_assert_max_num_queries(15):
        mail = text_of(client, url("group", "mail"))
    assert re.search(rf"{receiver} [^–]+ anna Mails go out twice Resume … {receiver}", mail)
    assert re.search(r"app\.gone [^–]+ event_bus_pause \(who is not known\) no reason was given", mail)
    credentials = text_of(client, url("group", "credentials"))
    assert f"Resume … {receiver}" in credentials
    assert "app.gone" not in credentials
    with django_assert_max_num_queries(15):
        shown = text_of(client, url())
    assert "credentials 1 ready 3 6 2 seconds – 1 receiver mail" in shown
    assert re.search(rf"{receiver} {TYPE} paused since [^–]+ by anna: Mails go out twice", shown)


def test_a_pause_by_a_command_is_not_attributed_to_a_user_who_paused_the_receiver_earlier(receiver: str) -> None:
    client = client_with(Right.VIEW, Right.OPERATE)
    for action in ("pause", "resume"):
        client.post(url(action), {"receiver": receiver, "confirmed": "yes"})
    PausedReceiver.objects.pause(receiver, at=datetime.now(UTC))
    assert "by event_bus_pause (who is not known)" in page(Heartbeat)


@override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo")
def test_the_user_who_paused_a_receiver_is_found_if_use_tz_is_false(receiver: str) -> None:
    client = Client()
    client.force_login(staff_with(Right.VIEW, Right.OPERATE, name="anna"))
    client.post(url("pause"), {"receiver": receiver, "reason": "Mails", "confirmed": "yes"})
    assert " by anna: Mails " in text_of(client, url())


@override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"mail": ["certificates"]})
def test_a_group_without_a_worker_is_red_only_if_the_overview_calls_it_neglected() -> None:
    Heartbeat.objects.filter(kind="consumer").update(stopped_at=1)
    assert (
        marks()["no worker runs, and records wait"]
        == marks("group", "mail")["No worker runs, and records wait: the group receives nothing."]
        == "bad"
    )
    overview = client_with(Right.VIEW).get(admin.site.get_model_admin(EventBus).url()).content.decode()  # type: ignore[attr-defined]
    assert "A consumer group has records to read, and no worker." in overview
    assert 'event-bus-bad"><span>None runs.</span>' in overview
    for row in Heartbeat.objects.filter(kind="consumer"):
        change(row.pid, partitions=[one | {"lag": 0} for one in row.state["partitions"]])
    assert marks()["no worker runs"] == marks("group", "mail")["No worker runs: the group receives nothing."] == "idle"
    assert "stop the workers" not in page(Heartbeat, "group", "mail")
    overview = client_with(Right.VIEW).get(admin.site.get_model_admin(EventBus).url()).content.decode()  # type: ignore[attr-defined]
    assert "A consumer group has records to read" not in overview
    assert 'event-bus-idle"><span>None runs.</span>' in overview


def test_a_pause_is_shown_in_red_only_after_a_day(receiver: str) -> None:
    def all_marks() -> list[str]:
        several = [*marks().items(), *marks("group", "mail").items()]
        return [mark for text, mark in several if re.match(r"paused since|\d{4}-", text)]

    PausedReceiver.objects.pause(receiver, at=datetime.now(UTC) - timedelta(hours=23))
    assert all_marks() == ["idle", "idle"]
    PausedReceiver.objects.update(paused_at=datetime.now(UTC) - timedelta(hours=25))
    assert all_marks() == ["bad", "bad"]
    assert "A receiver has been paused for a day" in page(EventBus)


def fail_for(receiver: str, count: int) -> None:
    """Let ``receiver`` fail for the first ``count`` dead letters."""
    failure = {"receiver": receiver, "error": "ValueError", "place": "receivers.py:7", "attempts": 1}
    for letter in DeadLetter.objects.order_by("pk")[:count]:
        DeadLetterEntry.objects.note(letter, EntryState.FAILED, [failure])


def test_a_receiver_with_dead_letters_is_not_shown_in_green_and_links_to_its_dead_letters(
    receiver: str, django_assert_max_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(*place: str) -> tuple[str, bool]:
        html = unbroken(client_with(Right.VIEW).get(url(*place)).content.decode())
        return marks(*place)["receives"], f"/deadletter/?receiver={receiver}" in html

    assert seen() == ("good", False)
    fail_for(receiver, 3)
    DeadLetterEntry.objects.settled().delete()
    assert seen() == ("idle", True)
    assert f"{receiver} {TYPE} receives 3 dead letters" in page(Heartbeat)
    assert "receives 3 dead letters" in page(HistoryRow, "type", TYPE)
    assert "counts for each of them" not in page(Heartbeat)
    monkeypatch.setattr(pending_letters, "MOST_COUNTED", 2)
    assert f"{receiver} {TYPE} receives 2 or more dead letters" in page(Heartbeat)
    client = client_with(Right.VIEW)
    client.get(url())
    with django_assert_max_num_queries(15):
        client.get(url())
    monkeypatch.setattr(pending_letters, "MOST_COUNTED", 3)
    DeadLetterEntry.objects.filter(pk=DeadLetterEntry.objects.latest("pk").pk).update(receiver="app.other")
    PausedReceiver.objects.pause("app.other", at=datetime.now(UTC))
    assert "A dead letter of several receivers counts for each of them." in page(Heartbeat)
    monkeypatch.setattr(pending_letters, "MOST_COUNTED", 2)
    DeadLetterEntry.objects.update(receiver="app.other")
    assert f"{receiver} {TYPE} receives its dead letters" in page(Heartbeat)


def test_the_page_of_a_group_links_to_its_dead_letters_and_to_what_to_do_about_slow_receivers() -> None:
    html = client_with(Right.VIEW).get(url("group", "mail")).content.decode()
    assert '/deadletter/?group=mail">Dead letters of this group' in html
    assert html.index('href="#slow"') < html.index('id="slow"') < html.index("Partitions and offsets")
    change(100, in_flight=177)
    shown = page(Heartbeat, "group", "mail")
    assert "In worker worker:100 (group mail). 176 other records that this worker has read are not finished." in shown
    assert "stop the workers of this group" in shown


def test_many_partitions_without_lag_are_folded() -> None:
    partitions = Heartbeat.objects.get(pid=102).state["partitions"]
    html = client_with(Right.VIEW).get(url("group", "mail")).content.decode()
    assert "partitions without lag" not in html
    change(102, partitions=[*partitions, *(partitions[0] | {"partition": 20 + n, "lag": 0} for n in range(9))])
    lagging, folded = page(Heartbeat, "group", "mail").split("9 partitions without lag")
    assert "prod-certificates:6 " in lagging
    assert "prod-certificates:20 " not in lagging
    assert "prod-certificates:20 " in folded
