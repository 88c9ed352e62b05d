"""The data for reports."""

from __future__ import annotations

from django.db import models


class Fact(models.Model):
    """A received event. It is stored once, even if it is delivered twice."""

    event_id = models.UUIDField(unique=True)
    event_type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, help_text="the key of the event")
    occurred_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"fact {self.pk}"
