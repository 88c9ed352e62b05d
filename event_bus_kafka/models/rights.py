"""The permissions to view and operate the event bus in Django's admin."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

_APP = "event_bus_kafka"


class Right(StrEnum):
    """A permission. The value is the permission's codename."""

    VIEW = "view_event_bus"
    OPERATE = "operate_event_bus"
    DISCARD = "discard_event_bus"
    UNMASK = "unmask_event_bus"
    REPLAY = "replay_event_bus"

    def is_given_to(self, user: Any) -> bool:
        """Return whether a user of ``django.contrib.auth`` has the permission."""
        return bool(user.has_perm(f"{_APP}.{self}"))


class EventBus(models.Model):
    """A model without a table, which defines the permissions."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions: ClassVar = [
            (Right.VIEW.value, "Can look at the event bus, personal data masked"),
            (Right.OPERATE.value, "Can pause and resume receivers, and release parked events"),
            (Right.DISCARD.value, "Can discard events for good"),
            (Right.UNMASK.value, "Can look at the data of events, personal data unmasked"),
            (Right.REPLAY.value, "Can give events to receivers again"),
        ]
        verbose_name = _("event bus")
        verbose_name_plural = _("overview")

    def __str__(self) -> str:
        return "event bus"
