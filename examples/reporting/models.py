"""The data for reports."""

from __future__ import annotations

from django.db import models


class Fact(models.Model):
    """An event, stored once, in the order of arrival."""

    event_id = models.UUIDField(unique=True)
    event_type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, help_text="the key of the event")
    occurred_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"fact {self.pk}"
