"""What Credentials keeps."""

from __future__ import annotations

from django.db import models


class UserCredential(models.Model):
    """Whether a learner holds a credential for a course run now."""

    username = models.CharField(max_length=150)
    course_key = models.CharField(max_length=255)
    status = models.CharField(max_length=20)
    changed_at = models.DateTimeField(help_text="when the LMS changed it; what is older is no news")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["username", "course_key"], name="one_credential_each")]

    def __str__(self) -> str:
        return f"credential {self.pk}"


class CredentialChange(models.Model):
    """The history: one row for each event that changed a credential, in the order in which they came."""

    change = models.CharField(max_length=20)
    course_key = models.CharField(max_length=255)
    user_id = models.BigIntegerField()
    username = models.CharField(max_length=150)
    grade = models.CharField(max_length=5, blank=True)
    status = models.CharField(max_length=20)
    changed_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"change {self.pk}"
