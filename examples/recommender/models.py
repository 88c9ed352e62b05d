"""The recommender's data about learners."""

from __future__ import annotations

from django.db import models


class Taste(models.Model):
    """A course in which a learner has enrolled at least once."""

    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "course_key"], name="each_taste_once")]

    def __str__(self) -> str:
        return f"taste {self.pk}"
