"""
Creates users of Django's admin and test clients that are logged in, and prepares the pages of the admin for
comparisons.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client

from event_bus_kafka.models import Right

_numbers = count(1)


def staff_with(*rights: Right, name: str = "") -> User:
    """Return a new member of the staff who has ``rights`` for the event bus. The password is `password`."""
    user = User.objects.create_user(name or f"user-{next(_numbers)}", password="password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def client_with(*rights: Right) -> Client:
    """Return a test client that is logged in as a new member of the staff with ``rights``."""
    client = Client()
    client.force_login(staff_with(*rights))
    return client


def unbroken(html: str) -> str:
    """Return a page without tags that control line breaks, and with usual spaces in place of no-break spaces."""
    html = html.replace("\N{NO-BREAK SPACE}", " ")
    return re.sub(r'<span class="event-bus-(?:name|time)">([^<]*)</span>', r"\1", html.replace("<wbr>", ""))


def page(model: Any, name: str = "changelist", *args: Any, **query: str) -> str:
    """Return the text of a page that a viewer sees, without HTML tags other than ``<svg>``."""
    url = admin.site.get_model_admin(model).url(name, *args)  # type: ignore[attr-defined]
    return text_of(client_with(Right.VIEW), url, query)


def text_of(client: Client, url: str, query: dict[str, str] | None = None) -> str:
    """Return the text of the page at ``url``, without HTML tags other than ``<svg>``."""
    answer = client.get(url, query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<(?!svg)[^>]+>", " ", unbroken(answer.content.decode())))
