"""The actions of authors in Studio."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from examples.cms.models import CourseRun

_START = datetime(2026, 9, 1, tzinfo=UTC)


class EditingFailed(Exception):
    """Raised to simulate an error in the middle of a transaction."""


def create_course_run(course_key: str, name: str) -> None:
    CourseRun(course_key=course_key, name=name, start=_START).publish()


def edit_course_run(course_key: str, **changes: Any) -> None:
    run = CourseRun.objects.get(course_key=course_key)
    for field, value in changes.items():
        setattr(run, field, value)
    run.publish()


def fail_to_edit_course_run(course_key: str, **changes: Any) -> None:
    """Edit a course run in a transaction that is rolled back. No event about the unsaved change is sent."""
    try:
        with transaction.atomic():
            edit_course_run(course_key, **changes)
            raise EditingFailed
    except EditingFailed:
        return


def import_course_runs(count: int) -> None:
    """Add course runs without sending events, like rows that are older than the event bus."""
    CourseRun.objects.bulk_create(
        CourseRun(course_key=f"course-v1:edX+Old{n}+2020", name=f"Course {n}", start=_START, modified=timezone.now())
        for n in range(1, count + 1)
    )
