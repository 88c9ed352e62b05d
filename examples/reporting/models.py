"""What reports are made of."""

from __future__ import annotations

from django.db import models


class Fact(models.Model):
    """An event, once, in the order in which they came."""

    event_id = models.UUIDField(unique=True)
    event_type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, help_text="the key of the event")
    occurred_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"fact {self.pk}"
