"""What the service keeps in a database of its own, for its size."""

from django.db import models


class Change(models.Model):
    """A learner's answer that changed."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name
