"""What the pages show of heartbeats, history, settings and code."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import override_settings
from django.utils import timezone, translation

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age, ago, moment_of
from event_bus_kafka.admin.charts import Chart, Series
from event_bus_kafka.admin.overview import TIMES, charts_of
from event_bus_kafka.models import EventBus, Heartbeat, HistoryRow, ParkedRecord, PausedReceiver, Right
from event_bus_kafka.operations.history import summed
from tests.support.admin_clients import client_with

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("filled")]

TYPE = "org.openedx.learning.certificate.created.v1"
SENT = {TYPE: {"certificates": {"event_key_field": "certificate.user.id", "enabled": True, "mode": "outbox"}}}


def page(model: Any, name: str = "changelist", *args: Any, **query: str) -> str:
    """Return the text of a page, without its tags."""
    url = admin.site.get_model_admin(model).url(name, *args)  # type: ignore[attr-defined]
    answer = client_with(Right.VIEW).get(url, query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<(?!svg)[^>]+>", " ", answer.content.decode().replace("<wbr>", "")))


def test_the_overview_says_that_all_is_well_once_all_are_ready() -> None:
    shown = page(EventBus)
    assert "All is well" not in shown
    assert "A worker or relay is not ready." in shown
    for row in Heartbeat.objects.all():
        row.state = {**row.state, "obstacles": []}
        row.save()
    assert "All is well" in page(EventBus)


def test_the_overview_shows_neglects_with_remedies_and_links() -> None:
    PausedReceiver.objects.pause("app.award", at=datetime.now(UTC) - timedelta(days=2))
    shown = page(EventBus)
    assert "It has been paused for 2 days." in shown
    assert "manage.py event_bus_resume --receiver app.award --apply" in shown
    assert "2 of 3 ready" in shown


@override_settings(EVENT_BUS_KAFKA_HISTORY=7)
@pytest.mark.parametrize("period", ["", "hour", "day", "week", "<script>"])
def test_charts_have_a_text_and_a_table(period: str) -> None:
    shown = page(EventBus, period=period)
    assert shown.count('role="img"') == 3
    assert re.search(r'aria-label="Events a minute from [^"]+ to [^"]+\. sent: confirmed by Kafka: at most \d', shown)
    assert shown.count("as a table") == 3
    assert "script" not in shown


def test_without_a_history_there_are_no_charts() -> None:
    assert "EVENT_BUS_KAFKA_HISTORY is 0" in page(EventBus)


def test_charts_show_the_counts() -> None:
    HistoryRow.objects.all().delete()
    begins = int(datetime.now(UTC).timestamp() * 1000) // 3_600_000 * 3_600_000 - 7_200_000
    common = {"begins": begins, "service": "s", "event_type": TYPE, "span": 3_600, "longest": 4.0}
    HistoryRow.objects.create(id="0" * 32, receiver="", outcome="done", count=120, seconds=240.0, **common)
    quarter = common | {"span": 900}
    HistoryRow.objects.create(id="1" * 32, receiver="", outcome="relayed", count=60, seconds=0.0, **quarter)
    HistoryRow.objects.create(id="2" * 32, receiver="r", outcome="done", count=999, seconds=9e9, **common)
    rates, latency, failures = charts_of(TIMES["week"])
    assert [one.most for one in rates.series] == [1.0, 0.0]
    assert [one.most for one in latency.series] == [2.0, 4.0]
    assert [one.most for one in failures.series] == [0, 0, 0, 0]
    assert summed(datetime.fromtimestamp(0, UTC), 3_600, ["receiver"], of_receivers=True).keys() == {(begins, "r")}


def test_a_line_skips_what_is_not_known() -> None:
    times = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(3)]
    chart = Chart(title="T", begins=times, series=[Series(label="a", values=[1.0, None, 2.0])], say=charts.count)
    ((_, _, points),) = chart.lines
    assert points == "0.0,60.0 600.0,0.0"
    assert len(chart.table.rows) == 2


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (0.25, "0.2"), (96.0, "96"), (1234.5, "1,234")])
def test_numbers_are_short(number: float, text: str) -> None:
    assert charts.count(number) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0123, "12 ms"), (1.5, "1.5 s"), (600, "10 min")])
def test_durations_have_units(seconds: float, text: str) -> None:
    assert charts.duration(seconds) == text


def test_ages_are_in_words_and_times_in_the_users_zone_and_language() -> None:
    assert (age(1), age(12.3), age(7_500)) == ("1 second", "12 seconds", "2 hours, 5 minutes")
    assert ago(60) == "1 minute ago"
    with timezone.override("Asia/Tokyo"):
        assert moment_of(0) == "Jan. 1, 1970, 9 a.m."
    with translation.override("de"):
        assert age(7_500) == "2 Stunden, 5 Minuten"


def test_the_outbox_shows_what_waits_is_held_and_parked() -> None:
    shown = page(ParkedRecord)
    assert "UNKNOWN_TOPIC_OR_PART" in shown
    assert "prod-certificates 3 " in shown
    assert "6 minutes" in shown
    assert "no right WRITE" in shown
    assert "of the first 100,000" in shown


def test_an_outbox_that_no_relay_tells_of_is_not_counted() -> None:
    Heartbeat.objects.filter(kind="relay").delete()
    assert "unknown: no relay that runs has told" in page(ParkedRecord)


def test_workers_are_shown_with_what_keeps_them(receiver: str) -> None:
    shown = page(Heartbeat)
    assert "slow receiver: app.receivers.grade" in shown
    assert "receivers.py:7 in grade" in shown
    assert receiver in shown
    Heartbeat.objects.update(beat_at=1)
    assert "has died" in page(Heartbeat)
    Heartbeat.objects.update(stopped_at=1)
    assert "stopped" in page(Heartbeat)


def test_a_group_is_shown_with_its_offsets() -> None:
    shown = page(Heartbeat, "group", "mail")
    assert "prod-certificates:6 7 8 10 2 2 seconds 25%" in shown
    assert "manage.py event_offsets reset -g mail" in shown


@pytest.mark.parametrize(("model", "name"), [(Heartbeat, "group"), (HistoryRow, "type")])
def test_what_is_not_there_is_not_found(model: Any, name: str) -> None:
    url = admin.site.get_model_admin(model).url(name, "no-such")  # type: ignore[attr-defined]
    assert client_with(Right.VIEW).get(url).status_code == 404


@override_settings(EVENT_BUS_PRODUCER_CONFIG=SENT, EVENT_BUS_KAFKA_SUBSCRIPTIONS={"mail": ["grades"]})
def test_the_catalogue_has_what_is_sent_and_received(receiver: str) -> None:
    shown = page(HistoryRow)
    assert f"{TYPE} certificates 1 " in shown
    assert "mail grades" in shown
    detail = page(HistoryRow, "type", TYPE)
    assert receiver in detail
    assert "certificates enabled outbox certificate.user.id" in detail
    assert "certificate.user.pii.email str yes" in detail
    assert "CertificateData" in detail


@pytest.mark.parametrize("model", [EventBus, ParkedRecord, HistoryRow])
@override_settings(EVENT_BUS_PRODUCER_CONFIG={TYPE: {"certificates": {"enabled": True}}})
def test_a_wrong_route_is_said_in_place_of_the_page(model: Any) -> None:
    assert "needs &#x27;event_key_field&#x27;" in page(model)


def test_the_search_for_an_event_has_nothing_of_it_in_url_and_title() -> None:
    url = admin.site.get_model_admin(HistoryRow).url("where")  # type: ignore[attr-defined]
    for posted, said in (
        ({"event_id": "secret"}, "An event&#x27;s id is a UUID"),
        ({}, "Say the event&#x27;s id"),
        ({"key": "secret"}, "Bootstrap"),
    ):
        answer = client_with(Right.VIEW).post(url, posted)
        assert answer.status_code == 200
        assert said.lower() in answer.content.decode().lower()
        assert "secret" not in re.findall("<title>.*</title>", answer.content.decode(), re.DOTALL)[0]
