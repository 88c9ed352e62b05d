"""The receivers of the recommender, for events of the LMS."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from openedx_events.learning.data import CourseEnrollmentData
from openedx_events.learning.signals import COURSE_ENROLLMENT_CREATED

from examples.recommender.models import Taste


@receiver(COURSE_ENROLLMENT_CREATED)
def note_taste(enrollment: CourseEnrollmentData, **_: Any) -> None:
    Taste.objects.get_or_create(user_id=enrollment.user.id, course_key=str(enrollment.course.course_key))
