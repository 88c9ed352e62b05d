"""The receivers of the licence manager, for events of the LMS and Discovery."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CourseEnrollmentData
from openedx_events.learning.signals import (
    COURSE_ENROLLMENT_CHANGED,
    COURSE_ENROLLMENT_CREATED,
    COURSE_UNENROLLMENT_COMPLETED,
)

from examples.licences.models import CatalogEntry, License, LicensedEnrollment
from examples.platform_events.data import CourseRunData
from examples.platform_events.signals import COURSE_RUN_UPDATED


@receiver([COURSE_ENROLLMENT_CREATED, COURSE_ENROLLMENT_CHANGED, COURSE_UNENROLLMENT_COMPLETED])
def note_enrollment(enrollment: CourseEnrollmentData, **_: Any) -> None:
    """Store that a learner with a licence was enrolled or unenrolled. Ignore learners without a licence."""
    if not License.objects.filter(user_id=enrollment.user.id).exists():
        return
    LicensedEnrollment.objects.update_or_create(
        user_id=enrollment.user.id,
        course_key=str(enrollment.course.course_key),
        defaults={"is_active": enrollment.is_active},
    )


@receiver(COURSE_RUN_UPDATED)
@transaction.atomic
def update_catalog_entry(course_run: CourseRunData, metadata: EventsMetadata, **_: Any) -> None:
    """
    Store a change of the catalog. An event may be delivered twice or late, so a change is ignored unless it is newer
    than the stored change.
    """
    course_key = str(course_run.course_key)
    if CatalogEntry.objects.filter(course_key=course_key, changed_at__gte=metadata.time).exists():
        return
    values = {"title": course_run.title, "status": course_run.status, "changed_at": metadata.time}
    CatalogEntry.objects.update_or_create(course_key=course_key, defaults=values)
