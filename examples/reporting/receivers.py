"""The receivers of reporting, for events of the licence manager and the LMS."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CourseEnrollmentData
from openedx_events.learning.signals import (
    COURSE_ENROLLMENT_CHANGED,
    COURSE_ENROLLMENT_CREATED,
    COURSE_UNENROLLMENT_COMPLETED,
)

from examples.platform_events import signals
from examples.platform_events.data import LicenseData, SubscriptionPlanData
from examples.reporting.models import Fact


@receiver([signals.SUBSCRIPTION_PLAN_CREATED, signals.SUBSCRIPTION_PLAN_EXPIRED, signals.SUBSCRIPTION_PLAN_RENEWED])
def note_plan(subscription_plan: SubscriptionPlanData, metadata: EventsMetadata, **_: Any) -> None:
    _note(str(subscription_plan.uuid), metadata)


@receiver(
    [
        signals.LICENSE_CREATED,
        signals.LICENSE_ASSIGNED,
        signals.LICENSE_ACTIVATED,
        signals.LICENSE_REVOKED,
        signals.LICENSE_EXPIRED,
        signals.LICENSE_RENEWED,
    ]
)
def note_license(license: LicenseData, metadata: EventsMetadata, **_: Any) -> None:
    _note(str(license.uuid), metadata)


@receiver([COURSE_ENROLLMENT_CREATED, COURSE_ENROLLMENT_CHANGED, COURSE_UNENROLLMENT_COMPLETED])
def note_enrollment(enrollment: CourseEnrollmentData, metadata: EventsMetadata, **_: Any) -> None:
    _note(str(enrollment.course.course_key), metadata)


def _note(subject: str, metadata: EventsMetadata) -> None:
    """Store an event. If an event is delivered twice, it has the same id both times, so it is stored once."""
    values = {"event_type": metadata.event_type, "subject": subject, "occurred_at": metadata.time}
    Fact.objects.get_or_create(event_id=metadata.id, defaults=values)
