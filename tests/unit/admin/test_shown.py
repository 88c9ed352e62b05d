"""The admin pages show the contents of heartbeats and history, the settings, and the code of receivers."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

import pytest
from django.contrib import admin
from django.test import override_settings
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries, DjangoDbBlocker

from event_bus_kafka.admin import charts, pages
from event_bus_kafka.admin.ages import age, ago, moment, moment_of
from event_bus_kafka.admin.charts import Chart, Series
from event_bus_kafka.admin.outboxes import remedies
from event_bus_kafka.admin.overview.history_charts import TIMES, charts_of
from event_bus_kafka.kafka.error_codes import TABLE, RowOutcome
from event_bus_kafka.models import (
    DeadLetter,
    EventBus,
    Heartbeat,
    HistoryRow,
    OutboxRecord,
    ParkedRecord,
    PausedReceiver,
    Right,
)
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations import outboxes
from event_bus_kafka.operations.history import summed
from event_bus_kafka.operations.neglects import reading
from event_bus_kafka.relaying import topics
from event_bus_kafka.wire.headers import pack
from tests.support.admin_clients import client_with, page, unbroken
from tests.support.admin_data import near_deletion
from tests.support.asking import until_all_have_ended
from tests.support.databases import connected

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("filled")]

TYPE = "org.openedx.learning.certificate.created.v1"
SENT = {TYPE: {"certificates": {"event_key_field": "certificate.user.id", "enabled": True, "mode": "outbox"}}}


def test_an_unreachable_database_hides_only_its_own_outbox(django_db_blocker: DjangoDbBlocker) -> None:
    away, route = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all"}, SENT[TYPE]["certificates"]
    routes = {TYPE: {"certificates": route, "grades": route | {"database": "away"}}}
    with django_db_blocker.unblock(), connected(away, "away"), override_settings(EVENT_BUS_PRODUCER_CONFIG=routes):
        shown = page(ParkedRecord)
    assert "No answer from database away: what waits there is not shown." in shown
    assert "Events that wait" in shown


def test_pages_are_shown_without_the_data_of_a_database_that_hangs(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(connection: Any, *tables: Any) -> bool:
        return were_found(connection, *tables) if connection.alias != "frozen" else not for_ever.wait(20)

    for_ever = threading.Event()
    frozen, route = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "f")}, SENT[TYPE]["certificates"]
    routes = {TYPE: {"certificates": route, "grades": route | {"database": "frozen"}}}
    for module in (reading, outboxes):
        monkeypatch.setattr(module, "were_found", hang)
    monkeypatch.setattr(pages, "_LONGEST", 0.2)
    with django_db_blocker.unblock(), connected(frozen, "frozen"), override_settings(EVENT_BUS_PRODUCER_CONFIG=routes):
        shown = [page(EventBus), page(ParkedRecord)]
        for_ever.set()
        until_all_have_ended()
    assert all(re.search("no answer[^.]*database frozen", one, re.IGNORECASE) for one in shown)


def test_the_overview_says_all_is_well_only_if_everything_is_ready_and_nothing_waits() -> None:
    DeadLetter.objects.all().delete()
    ParkedRecord.objects.all().delete()
    OutboxRecord.objects.all().delete()
    assert "All is well" not in page(EventBus)
    for row in Heartbeat.objects.all():
        row.state = {**row.state, "obstacles": [], "held_topics": []}
        row.save()
    assert "All is well" in page(EventBus)
    with override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"mail": ["grades"], "late": ["grades"]}):
        shown = page(EventBus)
    assert "All is well" not in shown
    assert " Last heartbeat " in shown
    nobody = "it receives nothing. Start one: manage.py consume_events -g late – Group late"
    assert f"No worker has run for the group late within a day: {nobody}" in shown
    assert "the group mail" not in shown
    PausedReceiver.objects.pause("app.award", at=datetime.now(UTC))
    assert "All is well" not in page(EventBus)


def test_the_overview_says_which_workers_are_not_ready_in_which_group_and_why() -> None:
    mail = Heartbeat.objects.filter(group="mail")
    reason = mail.get(pid=100).state["obstacles"][0]
    mail.filter(pid=100).update(pid=7)
    shown = page(EventBus)
    assert (
        f"A worker of the group mail is not ready. worker:7: {reason}. Lag: 6 records. 1 slow call, for 5 minutes. "
        "See where the calls are in the code. If the receiver waits for a server, mend that. " in shown
    )
    for row in mail:
        row.state |= {"obstacles": [], "is_alive": False}
        row.save()
    shown = page(EventBus)
    assert (
        "2 workers of the group mail are not ready. worker:7, worker:102: it hangs. Lag: 12 records. "
        "See what holds it up. " in shown
    )
    assert "1 of 3 ready" in shown


@override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"mail": ["grades"], "late": ["grades"]})
def test_the_overview_shows_in_red_that_no_worker_runs_only_if_records_are_known_to_wait() -> None:
    def mark() -> str:
        html = client_with(Right.VIEW).get(admin.site.get_model_admin(EventBus).url()).content.decode()  # type: ignore[attr-defined]
        assert f'href="{admin.site.get_model_admin(Heartbeat).url("group", "late")}"' in html  # type: ignore[attr-defined]
        (found,) = re.findall(r'event-bus-(\w+)"><span>None runs\.', html)
        return str(found)

    workers = Heartbeat.objects.filter(kind="consumer")
    workers.update(stopped_at=0)
    assert mark() == "bad"
    workers.delete()
    OutboxRecord.objects.all().delete()
    assert mark() == "idle"
    shown = page(EventBus)
    assert (
        "Nothing is neglected, as far as is known. How much waits for a group without a worker is not known here: "
        "the page of the group says how to see it." in shown
    )
    assert "what waits has not waited for too long" not in shown
    assert "Last heartbeat of a relay" in shown


@override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"mail": ["grades"]})
def test_the_overview_says_for_how_long_a_group_has_had_no_worker() -> None:
    hour = int(time() * 1000) - 3_610_000
    Heartbeat.objects.filter(group="mail").update(stopped_at=hour, beat_at=hour)
    assert "No worker has run for the group mail for 1 hour: it receives nothing." in page(EventBus)


def test_the_overview_shows_old_rows_of_an_outbox_although_a_relay_runs() -> None:
    old = "Rows of the outbox have waited for more than 5 minutes."
    assert f"{old} default: the oldest row has waited for 6 minutes." in page(EventBus)
    Heartbeat.objects.filter(kind="relay").delete()
    shown = page(EventBus)
    assert old not in shown
    assert "no relay is known to run" in shown
    OutboxRecord.objects.update(created=round(datetime.now(UTC).timestamp() * 1000) - 200_000)
    assert "Rows of the outbox" not in page(EventBus)


def test_the_overview_lists_dead_letters_and_parked_events_and_held_topics_and_paused_receivers() -> None:
    Heartbeat.objects.filter(kind="consumer").delete()
    OutboxRecord.objects.all().delete()
    PausedReceiver.objects.pause("app.award", at=datetime.now(UTC) - timedelta(hours=2, seconds=5))
    shown = page(EventBus)
    assert "All is well" not in shown
    assert "Nothing is neglected: what waits has not waited for too long." in shown
    for text in (
        "20 dead letters, the oldest for 19 minutes: prod-certificates – Dead letters",
        "12 parked events, the oldest for 1 day: prod-0, prod-1, prod-2 – Outbox",
        "Relays 1 of 1 ready, 1 topic held",
        "1 paused receiver, for 2 hours: app.award – Workers and relays",
    ):
        assert text in shown
    held = "A relay has held the topic prod-certificates for [^:]+: BrokerError: UNKNOWN_TOPIC_OR_PART"
    assert re.search(rf"{held}\. Create it: manage\.py event_topics apply – Outbox", shown)


def test_the_overview_shows_a_neglect_with_its_remedy() -> None:
    PausedReceiver.objects.pause("app.award", at=datetime.now(UTC) - timedelta(days=2))
    shown = page(EventBus)
    assert "It has been paused for 2 days." in shown
    assert "manage.py event_bus_resume --receiver app.award --apply" in shown
    assert "2 of 3 ready" in shown


@override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0)
def test_the_overview_shows_workers_and_relays_as_not_known_if_there_are_no_heartbeats() -> None:
    shown = page(EventBus)
    assert "Whether workers and relays run is not known: EVENT_BUS_KAFKA_HEARTBEAT is 0." in shown
    assert "2 of 3 ready" not in shown


def test_the_overview_is_shown_while_one_of_several_databases_is_unreachable() -> None:
    away = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all"}
    PausedReceiver.objects.pause("app.award", at=datetime.now(UTC) - timedelta(days=2))
    sent = {TYPE: {"certificates": SENT[TYPE]["certificates"] | {"database": "away"}}}
    with connected(away, "away"), override_settings(EVENT_BUS_PRODUCER_CONFIG=sent):
        shown = page(EventBus)
        Heartbeat.objects.filter(kind="consumer").delete()
        OutboxRecord.objects.all().delete()
        PausedReceiver.objects.resume("app.award")
        without_findings = page(EventBus)
    assert "It has been paused for 2 days." in shown
    assert "No answer from database away: what waits there is not shown." in shown
    assert "Nothing is neglected, as far as is known." in without_findings


@override_settings(EVENT_BUS_KAFKA_HISTORY=7)
@pytest.mark.parametrize("period", ["", "hour", "day", "week", "<script>"])
def test_each_chart_has_a_text_alternative_and_a_table(period: str) -> None:
    shown = page(EventBus, period=period)
    assert shown.count('role="img"') == 3
    assert re.search(r'aria-label="Events a minute from [^"]+ to [^"]+\. sent: confirmed by Kafka: peak \d', shown)
    assert shown.count("as a table") == 3
    assert "script" not in shown


def test_the_overview_names_the_setting_that_disables_history_and_shows_no_charts() -> None:
    assert "EVENT_BUS_KAFKA_HISTORY is 0" in page(EventBus)


def test_charts_show_rates_and_latencies_and_failures_from_the_history() -> None:
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


@override_settings(EVENT_BUS_KAFKA_HISTORY=7)
def test_an_empty_chart_says_not_counted_yet_until_the_latest_minutes_are_counted() -> None:
    HistoryRow.objects.all().delete()
    before = "None counted yet. Counts of the last two minutes may follow."
    shown = page(EventBus)
    assert "so the last two minutes may be missing" in shown
    assert before in shown
    assert (shown.count("none yet"), shown.count("none counted")) == (3, 0)
    assert "None until" not in shown
    minute = int(datetime.now(UTC).timestamp() * 1000) // 60_000 * 60_000
    numbers = {"count": 1, "seconds": 0.0, "longest": 0.0, "span": 60, "service": "s", "event_type": TYPE}
    HistoryRow.objects.create(id="0" * 32, receiver="", outcome="skipped", begins=minute - 600_000, **numbers)
    assert before in page(EventBus)
    for number in range(1, 4):  # the test may last until the next minute
        HistoryRow.objects.create(
            id=f"{number:032}", receiver="", outcome="skipped", begins=minute - number * 60_000, **numbers
        )
    shown = page(EventBus)
    assert f"None until {moment_of(minute)[:10]}" in shown
    assert before not in shown
    assert "none yet" not in shown


def test_the_line_of_a_chart_skips_missing_values() -> None:
    times = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(3)]
    chart = Chart(title="T", begins=times, series=[Series(label="a", values=[1.0, None, 2.0])], say=charts.count)
    (line,) = chart.lines
    assert line.points == "0.0,60.0 600.0,0.0"
    assert len(chart.table.rows) == 2


def test_a_chart_can_show_a_single_value_or_a_small_value_or_no_values() -> None:
    times = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(3)]

    def drawn(*values: float | None) -> tuple[str, str, bool]:
        chart = Chart(title="T", begins=times, series=[Series(label="a", values=values)], say=charts.count)
        return f"{chart.lines[0].points} {chart.top}", chart.lines[0].caption, chart.lines[0].is_dot

    assert drawn(None, None, 2.0) == ("600.0,0.0 600.0,0.0 peak 2", "a: peak 2", True)
    assert drawn(0, 1, 1000) == ("0.0,120.0 300.0,117.0 600.0,0.0 peak 1,000", "a: peak 1,000", False)
    assert drawn(None, None, None) == (" none counted", "a", False)
    empty = Chart(title="T", begins=times, series=[Series(label="a", values=[None] * 3)], say=charts.count)
    assert empty.empty == "None until 2025-12-31 20:00 CST."
    assert empty.alternative.endswith(" CST. a: no values.")
    assert drawn(0, 0, 0) == (" none counted", "a", False), "lines at 0 would hide each other"


@pytest.mark.parametrize("name", TIMES)
def test_charts_end_with_the_last_completed_time_slot(name: str) -> None:
    shown, now = TIMES[name], datetime(2026, 11, 30, 17, 20, 5, tzinfo=UTC)
    begins = shown.begins(now)
    assert len(begins) == shown.slots
    assert begins[-1] + timedelta(seconds=shown.step) <= now < begins[-1] + timedelta(seconds=2 * shown.step)


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (0.25, "0.2"), (96.0, "96"), (1234.5, "1,234")])
def test_numbers_in_charts_are_rounded(number: float, text: str) -> None:
    assert charts.count(number) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0123, "12 ms"), (1.5, "1.5 s"), (600, "10 min")])
def test_durations_in_charts_have_units(seconds: float, text: str) -> None:
    assert charts.duration(seconds) == text


def test_a_time_that_exceeds_the_range_of_datetime_is_shown_in_milliseconds() -> None:
    assert moment_of(1 << 62) == f"{1 << 62} ms"


def test_ages_are_shown_in_the_active_language_and_times_in_the_active_time_zone() -> None:
    assert (age(1), age(12.3), age(7_500)) == ("1 second", "12 seconds", "2 hours, 5 minutes")
    assert ago(60) == "1 minute ago"
    with timezone.override("Asia/Tokyo"):
        assert moment_of(61_999) == "1970-01-01 09:01:01 JST"
    with translation.override("de"):
        assert age(7_500) == "2 Stunden, 5 Minuten"
        assert moment_of(61_000) == "1969-12-31 18:01:01 CST"
    with timezone.override("America/Sao_Paulo"):
        assert moment(datetime(2026, 1, 1, tzinfo=UTC), has_seconds=False) == "2025-12-31 21:00 UTC-03"


@override_settings(EVENT_BUS_PRODUCER_CONFIG=SENT, EVENT_BUS_KAFKA_HISTORY=7)
def test_the_overview_makes_at_most_15_queries_while_it_shows_several_neglects(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    near_deletion()
    PausedReceiver.objects.pause("app.award", at=datetime.now(UTC) - timedelta(days=2))
    client, url = client_with(*Right), admin.site.get_model_admin(EventBus).url()  # type: ignore[attr-defined]
    shown = client.get(url).content.decode()
    for text in ("came within the last day", "1 dead letter will be deleted", "It has been paused", "3 requested"):
        assert text in shown
    with django_assert_max_num_queries(15):
        client.get(url)


def test_the_outbox_page_shows_waiting_and_held_and_parked_rows() -> None:
    shown = page(ParkedRecord)
    assert "UNKNOWN_TOPIC_OR_PART" in shown
    assert "prod-certificates 3 " in shown
    assert "6 minutes" in shown
    assert "no right WRITE" in shown
    assert "were counted" not in shown
    relay = Heartbeat.objects.get(kind="relay")
    relay.state["depth"] = {"prod-certificates": 100_000}
    relay.save()
    shown = page(ParkedRecord)
    assert "100,000 or more, counted" in shown
    assert "Waiting, by topic (only 100,000 were counted)" in shown


def test_the_outbox_page_says_what_to_do_about_held_topics() -> None:
    shown = page(ParkedRecord)
    assert "Create it: manage.py event_topics apply If the name is wrong" in shown
    assert "at least every half a minute" in shown
    assert topics._LONGEST == 30, "the page says how often a relay tries a held topic"
    for row in Heartbeat.objects.filter(kind="relay"):
        row.state["held_topics"][0]["reason"] = "BrokerError: TOPIC_AUTHORIZATION_FAILED: no"
        row.save()
    assert "Give the relay&#x27;s user the right WRITE on the topic." in page(ParkedRecord)


def test_the_outbox_page_says_what_to_do_about_parked_rows_of_each_error_code() -> None:
    assert "Set the topic&#x27;s max.message.bytes to at least " in page(ParkedRecord)
    assert {row.code for row in TABLE if row.row_outcome is RowOutcome.PARK} == remedies.OF_PARKED_ROWS.keys()


def marks() -> dict[str, str]:
    """Return a dict that maps the text of each marked cell on the page of outboxes to the mark."""
    html = unbroken(client_with(Right.VIEW).get(admin.site.get_model_admin(ParkedRecord).url()).content.decode())  # type: ignore[attr-defined]
    return {text: mark for mark, text in re.findall(r'event-bus-mark event-bus-(\w+)"><span>([^<]+)', html)}


def test_the_outbox_page_shows_in_red_only_what_the_overview_calls_neglected() -> None:
    OutboxRecord.objects.update(created=int(time() * 1000) - 130_000)
    for row in Heartbeat.objects.all():
        row.state = {**row.state, "obstacles": []}
        row.save()
    assert "Nothing is neglected" in page(EventBus)
    found = marks()
    assert set(found.values()) == {"idle"}
    assert {"2 minutes", "12", "1 of 1 ready, 1 topic held"} <= found.keys()
    relay = Heartbeat.objects.get(kind="relay")
    held, relay.state["held_topics"] = relay.state["held_topics"], []
    relay.save()
    assert (marks()["2 minutes"], marks()["1 of 1 ready"]) == ("good", "good")
    OutboxRecord.objects.update(created=int(time() * 1000) - 400_000)
    assert marks()["6 minutes"] == "bad"
    ParkedRecord.objects.update(parked_at=1_000_000_000_000)
    relay.state["held_topics"] = [{**held[0], "seconds": 4_000.0}]
    relay.save()
    assert (marks()["12"], marks()["1 hour, 6 minutes"]) == ("bad", "bad")
    relay.state["database"] = "elsewhere"
    relay.save()
    assert "has held it" in page(EventBus)
    assert "has held it" not in page(ParkedRecord)
    Heartbeat.objects.filter(kind="relay").delete()
    for shown in (page(ParkedRecord), page(EventBus)):
        assert "no relay is known to run" in shown
        assert "12 parked rows will be deleted" in shown


@override_settings(EVENT_BUS_KAFKA_HEARTBEAT=0)
def test_the_outbox_page_says_why_relays_are_unknown_if_there_are_no_heartbeats() -> None:
    Heartbeat.objects.all().delete()
    assert page(ParkedRecord).count("unknown: EVENT_BUS_KAFKA_HEARTBEAT is 0, so relays report nothing") == 2


def test_the_page_of_parked_rows_shows_event_types_and_ids_with_search_buttons() -> None:
    event_id = "7c8a2b9e-0f47-4d1c-9a3d-2f6f5a1c0b11"
    headers = pack((("ce_type", TYPE.encode()), ("ce_id", event_id.encode())))
    ParkedRecord.objects.filter(pk=10_000_000).update(headers=headers)
    url = admin.site.get_model_admin(ParkedRecord).url()  # type: ignore[attr-defined]
    html = unbroken(client_with(Right.VIEW).get(url).content.decode())
    assert f"{TYPE}<br>{event_id}" in html
    where = admin.site.get_model_admin(HistoryRow).url("where")  # type: ignore[attr-defined]
    assert f'formaction="{where}" name="event_id" value="{event_id}"' in html
    assert html.count(f'formaction="{where}"') == 1


def test_the_number_of_waiting_rows_is_unknown_if_no_relay_runs() -> None:
    Heartbeat.objects.filter(kind="relay").delete()
    assert "unknown: no running relay has counted them" in page(ParkedRecord)


@pytest.mark.parametrize(("model", "name"), [(Heartbeat, "group"), (HistoryRow, "type")])
def test_the_page_of_an_unknown_group_or_event_type_answers_404(model: Any, name: str) -> None:
    url = admin.site.get_model_admin(model).url(name, "no-such")  # type: ignore[attr-defined]
    assert client_with(Right.VIEW).get(url).status_code == 404


@pytest.mark.parametrize("model", [EventBus, ParkedRecord, HistoryRow])
@override_settings(EVENT_BUS_PRODUCER_CONFIG={TYPE: {"certificates": {"enabled": True}}})
def test_the_overview_and_the_pages_of_outboxes_and_events_name_the_error_in_the_producer_config(model: Any) -> None:
    assert "needs &#x27;event_key_field&#x27;" in page(model)


def test_the_search_for_an_event_explains_invalid_input_and_keeps_the_search_term_out_of_the_title() -> None:
    url = admin.site.get_model_admin(HistoryRow).url("where")  # type: ignore[attr-defined]
    for posted, said in (
        ({"event_id": "secret"}, "An event&#x27;s id is a UUID"),
        ({"key": "7", "topic": "grades:x"}, "Write the topic as topic, or topic:partition."),
        ({}, "Say the event&#x27;s id"),
        ({"key": "secret"}, "Bootstrap"),
    ):
        answer = client_with(Right.VIEW).post(url, posted)
        assert answer.status_code == 200
        assert said.lower() in answer.content.decode().lower()
        assert "secret" not in re.findall("<title>.*</title>", answer.content.decode(), re.DOTALL)[0]
