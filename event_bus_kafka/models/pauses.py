"""Receivers that are paused."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models

from event_bus_kafka.models.moments import MomentField


class PausedReceiverQuerySet(models.QuerySet["PausedReceiver"]):
    """Pauses, in the words of those who operate workers."""

    def names(self) -> frozenset[str]:
        """Return who is paused."""
        return frozenset(self.values_list("receiver", flat=True))

    def pause(self, receiver: str, *, at: datetime) -> None:
        """Begin a pause; one that is there goes on."""
        self.get_or_create(receiver=receiver, defaults={"paused_at": at})

    def resume(self, receiver: str) -> None:
        """End a pause."""
        self.filter(receiver=receiver).delete()


class PausedReceiver(models.Model):
    """A receiver of this service whose events go to the dead letters, until that is ended by hand."""

    receiver = models.CharField(max_length=500)
    """As dead letters name it."""
    paused_at = MomentField()

    objects = PausedReceiverQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["receiver"], name="event_bus_kafka_paused")]
        """Not ``unique=True``: Django's check for MySQL warns of unique fields with more than 255 characters."""

    def __str__(self) -> str:
        return f"{self.receiver}, paused"
