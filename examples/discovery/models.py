"""What Discovery keeps."""

from __future__ import annotations

from django.db import models


class CatalogInfo(models.Model):
    """What Studio tells of a course run."""

    name = models.CharField(max_length=255)
    start = models.DateTimeField()
    end = models.DateTimeField(null=True)
    pacing = models.CharField(max_length=20)
    hidden = models.BooleanField()
    invitation_only = models.BooleanField()
    changed_at = models.DateTimeField(help_text="when Studio changed it; what is older is no news")

    class Meta:
        abstract = True


class CourseRun(CatalogInfo):
    """A course run as it is now."""

    course_key = models.CharField(max_length=255, unique=True)

    def __str__(self) -> str:
        return self.course_key


class CourseRunChange(CatalogInfo):
    """The history: one row for each event that changed a course run, in the order in which they came."""

    course_key = models.CharField(max_length=255)
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"change {self.pk}"
