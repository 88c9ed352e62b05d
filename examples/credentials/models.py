"""What Credentials keeps."""

from __future__ import annotations

from django.db import models


class UserCredential(models.Model):
    """Whether a learner holds a credential for a course run now."""

    username = models.CharField(max_length=150)
    course_key = models.CharField(max_length=255)
    status = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["username", "course_key"], name="one_credential_each")]

    def __str__(self) -> str:
        return f"credential {self.pk}"


class CredentialChange(models.Model):
    """The history: one row for each event that came, in the order in which they came."""

    event_id = models.UUIDField()
    change = models.CharField(max_length=20)
    course_key = models.CharField(max_length=255)
    user_id = models.BigIntegerField()
    username = models.CharField(max_length=150)
    grade = models.CharField(max_length=5, blank=True)
    status = models.CharField(max_length=20)
    received_at = models.FloatField(help_text="seconds since the epoch")

    def __str__(self) -> str:
        return f"change {self.pk}"
