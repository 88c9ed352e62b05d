"""The data that Credentials stores from events. Credentials never sends requests to the LMS or Discovery."""

from __future__ import annotations

from django.db import models


class CourseRun(models.Model):
    """A course run of the catalog, for printing on credentials."""

    course_key = models.CharField(max_length=255, unique=True)
    title = models.CharField(max_length=255)
    changed_at = models.DateTimeField(help_text="when Discovery changed it; older events are ignored")

    def __str__(self) -> str:
        return self.course_key


class Program(models.Model):
    """A program of the catalog."""

    uuid = models.UUIDField(unique=True)
    title = models.CharField(max_length=255)
    course_run_keys = models.JSONField(default=list)
    changed_at = models.DateTimeField(help_text="as above")

    def __str__(self) -> str:
        return self.title


class UserCredential(models.Model):
    """A row that says whether a learner currently holds a credential for a course run."""

    username = models.CharField(max_length=150)
    course_key = models.CharField(max_length=255)
    status = models.CharField(max_length=20)
    changed_at = models.DateTimeField(help_text="when the LMS changed it; older events are ignored")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["username", "course_key"], name="one_credential_each")]

    def __str__(self) -> str:
        return f"credential {self.pk}"


class CredentialChange(models.Model):
    """The history: a row for each event that changed a credential, in the order in which the events arrived."""

    username = models.CharField(max_length=150)
    course_key = models.CharField(max_length=255)
    status = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"change {self.pk}"


class UserGrade(models.Model):
    """A learner's grade. ``passed_at`` is empty while the learner has not passed."""

    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)
    percent = models.FloatField()
    letter = models.CharField(max_length=5, blank=True)
    passed_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(help_text="when the LMS changed it; older events are ignored")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "course_key"], name="one_grade_each")]

    def __str__(self) -> str:
        return f"grade {self.pk}"


class ProgramInterest(models.Model):
    """A learner who wants a program, and is to be told what courses are missing for the program's credential."""

    user_id = models.BigIntegerField()
    program_uuid = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "program_uuid"], name="one_interest_each")]

    def __str__(self) -> str:
        return f"interest {self.pk}"
