"""The pages of the marketing site."""

from __future__ import annotations

from django.db import models


class Page(models.Model):
    """The page of a course run or program. Its key is the key of the events about the course run or program."""

    key = models.CharField(max_length=255, unique=True)
    title = models.CharField(max_length=255)
    changed_at = models.DateTimeField(help_text="when Discovery changed it; older events are ignored")

    def __str__(self) -> str:
        return self.key
