"""The receivers of the shop, for events of the LMS."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from openedx_events.learning.data import CourseEnrollmentData
from openedx_events.learning.signals import (
    COURSE_ENROLLMENT_CHANGED,
    COURSE_ENROLLMENT_CREATED,
    COURSE_UNENROLLMENT_COMPLETED,
)

from examples.commerce.models import Offer, Order
from examples.platform_events.data import ProgramIntentData
from examples.platform_events.signals import PROGRAM_INTENT_DETECTED


@receiver([COURSE_ENROLLMENT_CREATED, COURSE_ENROLLMENT_CHANGED, COURSE_UNENROLLMENT_COMPLETED])
def note_enrollment(enrollment: CourseEnrollmentData, **_: Any) -> None:
    """
    Update the learner's order after the LMS has enrolled or unenrolled the learner. A duplicate of the latest event
    changes nothing.
    """
    Order.objects.filter(user_id=enrollment.user.id, course_key=str(enrollment.course.course_key)).update(
        enrollment=enrollment.mode if enrollment.is_active else "ended"
    )


@receiver(PROGRAM_INTENT_DETECTED)
def make_offer(intent: ProgramIntentData, **_: Any) -> None:
    """
    Make an offer to a learner who wants a program. There is only one offer, even if the event is delivered repeatedly.
    """
    Offer.objects.get_or_create(user_id=intent.user.id, program_uuid=intent.program_uuid)
