"""The pages of the event bus in Django's admin show their contents, and each page requires a right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client, override_settings
from django.urls import URLPattern, resolve, reverse

from event_bus_kafka.admin import PAGES
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.models import HistoryRow, Right
from event_bus_kafka.models.presence import look_again
from tests.support.admin_clients import client_with

pytestmark = pytest.mark.django_db


def pages() -> Iterator[Any]:
    yield from (admin.site.get_model_admin(model) for model in PAGES)


def test_the_admin_index_lists_the_event_bus_for_users_with_the_right_to_view() -> None:
    index = client_with(Right.VIEW).get(reverse("admin:index")).content.decode()
    assert "Event bus" in index
    for page in pages():
        assert page.url() in index


def test_the_admin_index_hides_the_event_bus_from_users_without_the_right_to_view() -> None:
    index = client_with().get(reverse("admin:index")).content.decode()
    assert "Event bus" not in index


def test_each_admin_page_links_to_all_other_admin_pages() -> None:
    client = client_with(Right.VIEW)
    for page in pages():
        shown = client.get(page.url())
        assert shown.status_code == 200
        assert page.title in shown.content.decode()
        for other in pages():
            assert f'href="{other.url()}"' in shown.content.decode()


_EXAMPLES = {"int": 1, "path": "mail", "str": "org.openedx.learning.certificate.created.v1"}


def urls() -> Iterator[str]:
    """Yield the URL of each page, and the URLs of its detail pages and actions."""
    for page in pages():
        for pattern in page.get_urls():
            yield reverse(f"admin:{pattern.name}", kwargs=dict(_arguments(pattern)))


def _arguments(pattern: URLPattern) -> Iterator[tuple[str, Any]]:
    for name, converter in pattern.pattern.converters.items():
        yield name, _EXAMPLES[type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")]


def test_each_admin_url_answers_403_without_the_right_to_view() -> None:
    client = client_with(Right.OPERATE, Right.DISCARD, Right.UNMASK, Right.REPLAY)
    tried = list(urls())
    assert len(tried) > 10
    for url in tried:
        for answer in (client.get(url), client.post(url, {"confirmed": "yes"})):
            assert answer.status_code == 403, url
        assert Client().get(url).headers["Location"].startswith(reverse("admin:login"))


def test_admin_pages_are_exempt_from_djangos_atomic_requests_setting() -> None:
    reading = [page.url() for page in pages()] + [admin.site.get_model_admin(HistoryRow).url("where")]  # type: ignore[attr-defined]
    for url in reading:
        assert "default" in resolve(url).func._non_atomic_requests, url  # type: ignore[attr-defined]


def test_no_admin_page_has_an_add_or_change_form() -> None:
    for page in pages():
        assert isinstance(page, Page)
        assert not [
            pattern for pattern in page.get_urls() if pattern.name and pattern.name.endswith(("_add", "_change"))
        ]


@pytest.mark.django_db(transaction=True)
def test_a_page_asks_to_migrate_if_its_table_is_missing() -> None:
    client = client_with(Right.VIEW)
    look_again(connection)
    with connection.schema_editor() as editor:
        editor.delete_model(HistoryRow)
    try:
        shown = client.get(reverse("admin:event_bus_kafka_historyrow_changelist"))
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(HistoryRow)
        look_again(connection)
    assert (shown.status_code, "manage.py migrate" in shown.content.decode()) == (200, True)


@override_settings(EVENT_BUS_PRODUCER_CONFIG={_EXAMPLES["str"]: {"certificates": {"enabled": True}}})
def test_an_error_in_the_producer_config_is_named_on_a_detail_page_and_in_the_answer_to_an_action() -> None:
    client, base = client_with(*Right), "/admin/event_bus_kafka"
    posted = {"database": "default", "topic": "t", "code": "c"}
    for answer in (
        client.get(f"{base}/historyrow/types/{_EXAMPLES['str']}/"),
        client.post(f"{base}/parkedrecord/release/", posted),
    ):
        assert answer.status_code == 200
        assert "needs &#x27;event_key_field&#x27;" in answer.content.decode()


def _in_a_process(code: str, *apps: str) -> str:
    """
    Run Python code in a separate process of a service; return its output. The service has the required apps and
    ``apps``.
    """
    lines = [
        "import sys, django, test_settings as settings",
        f"settings.INSTALLED_APPS = ['django.contrib.contenttypes', *{apps}, 'openedx_events', 'event_bus_kafka']",
        "settings.MIDDLEWARE = []",
        "django.setup()",
        code,
    ]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "test_settings"}
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def test_commands_run_without_djangos_admin_installed() -> None:
    code = (
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0, skip_checks=True)\n"
        "call_command('event_bus_pause')\n"
        "print('event_bus_kafka.admin' in sys.modules)"
    )
    assert _in_a_process(code) == "None is paused.\nFalse"


def test_a_web_process_with_the_admin_does_not_import_confluent_kafka() -> None:
    apps = ["auth", "sessions", "messages", "admin"]
    code = "print('event_bus_kafka.admin' in sys.modules, 'confluent_kafka' in sys.modules)"
    assert _in_a_process(code, *(f"django.contrib.{one}" for one in apps)) == "True False"
