"""The admin pages show naive times while the setting USE_TZ is False."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import override_settings
from django.utils import timezone

from event_bus_kafka.admin import PAGES
from event_bus_kafka.admin.ages import moment
from event_bus_kafka.models import Right
from event_bus_kafka.sandbox import Sandbox
from tests.support.admin_clients import client_with
from tests.support.letters import record_of, stored

pytestmark = pytest.mark.django_db

BELOW = (
    "/admin/event_bus_kafka/eventbus/?period=week",
    "/admin/event_bus_kafka/deadletter/?state=settled",
    "/admin/event_bus_kafka/heartbeat/groups/mail/",
)


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    with override_settings(USE_TZ=False, EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url):
        yield


@pytest.mark.usefixtures("filled")
def test_each_admin_page_answers_200_if_use_tz_is_false() -> None:
    letter, client = stored(record_of(7), "mail.receivers.send"), client_with(*Right)
    looked = f"/admin/event_bus_kafka/deadletter/{letter.pk}/"
    assert client.post(f"{looked}unmasked/").status_code == 200
    assert LogEntry.objects.get().action_time.tzinfo is None
    pages = [admin.site.get_model_admin(model).url() for model in PAGES]  # type: ignore[attr-defined]
    for url in (*pages, looked, *BELOW):
        assert client.get(url).status_code == 200, url
    for url in (pages[0], looked):
        assert "Looked at its data unmasked." in client.get(url).content.decode()


@override_settings(TIME_ZONE="Asia/Tokyo")
def test_a_naive_time_is_interpreted_in_the_time_zone_of_the_service() -> None:
    with timezone.override("UTC"):
        assert moment(datetime(2026, 1, 1, 9, 0)) == "2026-01-01 00:00:00 UTC"
