"""Data of the service that is stored in a separate database because it is large."""

from django.db import models


class Change(models.Model):
    """A change of a learner's answer."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name
