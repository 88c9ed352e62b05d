"""The pages of events show which event types the service sends and receives, and how many events of each."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.test import override_settings
from pytest_django import DjangoAssertNumQueries

from event_bus_kafka.models import HistoryRow, PausedReceiver, Right
from tests.support.admin_clients import client_with, page, unbroken

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("filled")]

TYPE = "org.openedx.learning.certificate.created.v1"
SENT = {TYPE: {"certificates": {"event_key_field": "certificate.user.id", "enabled": True, "mode": "outbox"}}}
GROUPS = {"mail": ["grades"]}


def url(name: str = "changelist", *args: Any) -> str:
    found: str = admin.site.get_model_admin(HistoryRow).url(name, *args)  # type: ignore[attr-defined]
    return found


@override_settings(EVENT_BUS_PRODUCER_CONFIG=SENT, EVENT_BUS_KAFKA_SUBSCRIPTIONS=GROUPS, EVENT_BUS_KAFKA_HISTORY=7)
def test_the_catalogue_shows_event_types_that_are_sent_and_received(receiver: str) -> None:
    shown = page(HistoryRow)
    assert "Sent to Sent in 7 days Receivers Received in 7 days" in shown
    assert f"{TYPE} certificates " in shown
    assert "mail grades" in shown
    detail = page(HistoryRow, "type", TYPE)
    assert receiver in detail
    assert "certificates enabled outbox certificate.user.id" in detail
    assert "certificate.user.pii.email str yes" in detail
    assert "CertificateData" in detail
    assert "Sent from the outbox" in detail
    assert "may not be counted yet" in detail
    assert "relayed" not in detail


@override_settings(EVENT_BUS_KAFKA_HISTORY=2)
def test_the_catalogue_has_no_columns_about_sent_events_if_the_service_sends_none(receiver: str) -> None:
    shown = page(HistoryRow)
    assert "Event type Receivers Received in 2 days" in shown
    assert "Sent" not in shown


@override_settings(EVENT_BUS_PRODUCER_CONFIG=SENT, EVENT_BUS_KAFKA_HISTORY=7)
def test_the_catalogue_has_no_columns_about_received_events_if_the_service_has_no_receiver() -> None:
    shown = page(HistoryRow)
    assert "Event type Sent to Sent in 7 days" in shown
    assert "Received" not in shown
    assert "No receiver of this service listens to it." in page(HistoryRow, "type", TYPE)


@override_settings(EVENT_BUS_PRODUCER_CONFIG=SENT)
def test_the_pages_of_events_say_that_nothing_is_counted_if_the_history_is_off(receiver: str) -> None:
    HistoryRow.objects.all().delete()
    shown = page(HistoryRow)
    assert f"{TYPE} certificates 1 " in shown
    assert "Events are not counted: EVENT_BUS_KAFKA_HISTORY is 0." in shown
    assert "Not known, since events are not counted" in page(HistoryRow, "type", TYPE)


@override_settings(EVENT_BUS_KAFKA_HISTORY=7)
def test_the_page_of_an_event_type_lists_counts_of_sent_events_first_and_of_unknown_outcomes_last(
    receiver: str,
) -> None:
    HistoryRow.objects.filter(outcome="parked").update(outcome="unheard-of")
    shown = page(HistoryRow, "type", TYPE)
    named = ("Sent directly", "Sent from", "Received ", "Finished by", "Retried (", "Became dead letters", "Unheard-of")
    places = [shown.index(one) for one in named]
    assert places == sorted(places)


@override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS=GROUPS, EVENT_BUS_KAFKA_HISTORY=7)
def test_the_page_of_an_event_type_names_the_receivers_and_groups_that_receive_it(
    receiver: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    assert f"Where it is received Receiver State {receiver} receives" in page(HistoryRow, "type", TYPE)
    PausedReceiver.objects.pause(receiver, at=datetime.now(UTC))
    client = client_with(Right.VIEW)
    with django_assert_max_num_queries(15):
        client.get(url("type", TYPE))
    shown = page(HistoryRow, "type", TYPE)
    assert f"{receiver} paused since" in shown
    assert "mail grades" in shown
    with override_settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={}):
        assert "No group is subscribed in EVENT_BUS_KAFKA_SUBSCRIPTIONS" in page(HistoryRow, "type", TYPE)


@override_settings(EVENT_BUS_KAFKA_HISTORY=7)
def test_the_number_of_dead_letters_of_an_event_type_links_to_them(receiver: str) -> None:
    def html() -> str:
        return client_with(Right.VIEW).get(url("type", TYPE)).content.decode()

    HistoryRow.objects.filter(outcome="dead-lettered").update(count=21)
    letters = f'<a href="/admin/event_bus_kafka/deadletter/?event_type={TYPE}">'
    shown = unbroken(html())
    number = r"<div>[\d,]+\s*</div>"
    assert re.search(rf"Became dead letters</dt><dd>{number}<div>{re.escape(letters)}those that wait now</a>", shown)
    HistoryRow.objects.filter(outcome="dead-lettered").delete()
    assert letters not in unbroken(html())


@override_settings(EVENT_BUS_PRODUCER_CONFIG=SENT, EVENT_BUS_KAFKA_SUBSCRIPTIONS=GROUPS, EVENT_BUS_TOPIC_PREFIX="prod")
def test_the_search_for_an_event_suggests_the_topics_of_the_service() -> None:
    client = client_with(Right.VIEW)
    for answer in (client.get(url()), client.post(url("where"), {})):
        html = answer.content.decode()
        assert 'list="event-bus-topics"' in html
        assert '<option value="prod-certificates"></option><option value="prod-grades"></option>' in html
