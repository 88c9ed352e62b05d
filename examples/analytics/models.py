"""The clicks that analytics stores."""

from __future__ import annotations

from django.db import models


class Click(models.Model):
    """A tracking event, stored once."""

    event_id = models.UUIDField(unique=True)
    name = models.CharField(max_length=255)
    timestamp = models.DateTimeField()

    def __str__(self) -> str:
        return f"click {self.pk}"
