"""The service's data in its default database."""

from django.db import models


class Course(models.Model):
    """A course. The service writes courses to the default database, and reads courses from the replica."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Certificate(models.Model):
    """The object that an emitted event is about."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name
