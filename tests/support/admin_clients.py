"""Users of Django's admin, and their browsers."""

from __future__ import annotations

from itertools import count

from django.contrib.auth.models import Permission, User
from django.test import Client

from event_bus_kafka.models import Right

_numbers = count(1)


def staff_with(*rights: Right, name: str = "") -> User:
    """Return a member of the staff who has these permissions of the event bus, and the password `password`."""
    user = User.objects.create_user(name or f"user-{next(_numbers)}", password="password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def client_with(*rights: Right) -> Client:
    """Return the browser of somebody who has these permissions, without scripts."""
    client = Client()
    client.force_login(staff_with(*rights))
    return client
