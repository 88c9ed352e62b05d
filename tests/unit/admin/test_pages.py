"""The pages that Django's admin has of the event bus, and who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from event_bus_kafka.admin import PAGES
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.models import Right

pytestmark = pytest.mark.django_db


def client_with(*rights: Right) -> Client:
    """Return the browser of a member of the staff who has these permissions."""
    user = User.objects.create_user("somebody", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def pages() -> Iterator[Any]:
    yield from (admin.site.get_model_admin(model) for model in PAGES)


def test_the_index_has_a_section_for_those_who_may_look() -> None:
    index = client_with(Right.VIEW).get(reverse("admin:index")).content.decode()
    assert "Event bus" in index
    for page in pages():
        assert page.url() in index


def test_the_index_has_none_for_others() -> None:
    index = client_with().get(reverse("admin:index")).content.decode()
    assert "Event bus" not in index


def test_each_page_is_reached_from_each() -> None:
    client = client_with(Right.VIEW)
    for page in pages():
        shown = client.get(page.url())
        assert shown.status_code == 200
        assert page.title in shown.content.decode()
        for other in pages():
            assert f'href="{other.url()}"' in shown.content.decode()


def test_a_page_that_is_tried_directly_shows_nothing_without_the_right() -> None:
    client = client_with(Right.OPERATE, Right.DISCARD, Right.UNMASK, Right.REPLAY)
    for page in pages():
        shown = client.get(page.url())
        assert shown.status_code == 403
        assert page.title not in shown.content.decode()
        assert Client().get(page.url()).headers["Location"].startswith(reverse("admin:login"))


def test_no_model_has_forms_of_its_own() -> None:
    for page in pages():
        assert isinstance(page, Page)
        assert not [
            pattern for pattern in page.get_urls() if pattern.name and pattern.name.endswith(("_add", "_change"))
        ]
