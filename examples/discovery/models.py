"""The catalog, and the events about its changes."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.db import models, transaction
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from examples.platform_events.data import CourseRunData, ProgramData
from examples.platform_events.signals import COURSE_RUN_UPDATED, PROGRAM_UPDATED


class CourseRun(models.Model):
    """A course run. Dates and title come from Studio, the status from the publisher."""

    uuid = models.UUIDField(default=uuid4)
    course_uuid = models.UUIDField(default=uuid4)
    course_key = models.CharField(max_length=255, unique=True)
    title = models.CharField(max_length=255)
    start = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    hidden = models.BooleanField(default=False)
    status = models.CharField(max_length=20, default="unpublished")
    edited_at = models.DateTimeField(null=True, help_text="when Studio changed it; older events are ignored")
    indexed_at = models.DateTimeField(null=True)
    modified = models.DateTimeField()

    def __str__(self) -> str:
        return self.course_key

    @transaction.atomic
    def publish(self) -> None:
        """Save the course run and send its event, or do neither."""
        self.modified = timezone.now()
        self.save()
        key = CourseKey.from_string(self.course_key)
        data = CourseRunData(
            uuid=self.uuid,
            course_key=key,
            course_uuid=self.course_uuid,
            title=self.title,
            status=self.status,
            run_type="verified-audit",
            org_keys=[key.org or ""],
            modified=self.modified,
            start=self.start,
            end=self.end,
        )
        COURSE_RUN_UPDATED.send_event(time=self.modified, course_run=data)


class CourseRunChange(models.Model):
    """The history: a row for each event of Studio that changed a course run, in the order of their arrival."""

    course_key = models.CharField(max_length=255)
    title = models.CharField(max_length=255)
    hidden = models.BooleanField()

    def __str__(self) -> str:
        return f"change {self.pk}"


class Program(models.Model):
    """A series of courses."""

    uuid = models.UUIDField(default=uuid4, unique=True)
    title = models.CharField(max_length=255)
    status = models.CharField(max_length=20, default="active")
    course_run_keys = models.JSONField(default=list)
    modified = models.DateTimeField()

    def __str__(self) -> str:
        return self.title

    @transaction.atomic
    def publish(self) -> None:
        """Save the program and send its event, or do neither."""
        self.modified = timezone.now()
        self.save()
        data = ProgramData(
            uuid=UUID(str(self.uuid)),
            title=self.title,
            type_slug="micromasters",
            status=self.status,
            partner="edx",
            course_run_keys=self.course_run_keys,
            modified=self.modified,
        )
        PROGRAM_UPDATED.send_event(time=self.modified, program=data)


class Reindexing(models.Model):
    """A course whose part of the search index is being rebuilt."""

    course_key = models.CharField(max_length=255, unique=True)

    def __str__(self) -> str:
        return self.course_key
