"""What the service keeps in its default database."""

from django.db import models


class Course(models.Model):
    """Written to the default database, read from the replica."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Certificate(models.Model):
    """What an emission announces."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name
