"""Course runs, and the event that their changes emit."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey
from openedx_events.content_authoring.data import CourseCatalogData, CourseScheduleData
from openedx_events.content_authoring.signals import COURSE_CATALOG_INFO_CHANGED


class CourseRun(models.Model):
    """A course run, which authors edit."""

    course_key = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=255)
    start = models.DateTimeField()
    end = models.DateTimeField(null=True)
    pacing = models.CharField(max_length=20, default="instructor")
    hidden = models.BooleanField(default=False)
    invitation_only = models.BooleanField(default=False)
    modified = models.DateTimeField()

    def __str__(self) -> str:
        return self.course_key

    @transaction.atomic
    def publish(self) -> None:
        """
        Save the course run, and send its event after the outermost transaction commits. If this transaction rolls back,
        no event is sent.
        """
        self.modified = timezone.now()
        self.save()
        # The event contains the time of the change, so that receivers can ignore older changes.
        COURSE_CATALOG_INFO_CHANGED.send_event(time=self.modified, **self.as_event())

    def as_event(self) -> dict[str, Any]:
        """Return the event's data. For each argument of the signal, the data has an object of the right class."""
        schedule = CourseScheduleData(start=self.start, pacing=self.pacing, end=self.end)
        info = CourseCatalogData(
            course_key=CourseKey.from_string(self.course_key),
            name=self.name,
            schedule_data=schedule,
            hidden=self.hidden,
            invitation_only=self.invitation_only,
        )
        return {"catalog_info": info}


class CatalogEntry(models.Model):
    """The catalog's data about a course run, stored here so that the CMS need not ask Discovery."""

    course_key = models.CharField(max_length=255, unique=True)
    title = models.CharField(max_length=255)
    status = models.CharField(max_length=20)
    changed_at = models.DateTimeField(help_text="when Discovery changed it; older events are ignored")

    def __str__(self) -> str:
        return self.course_key
