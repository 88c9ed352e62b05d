"""Emits events that receivers cannot process or Kafka refuses. A shell of the LMS calls :func:`make_trouble`."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction
from opaque_keys.edx.keys import CourseKey
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import get_producer
from openedx_events.learning.data import CourseAccessRoleData
from openedx_events.learning.signals import COURSE_ACCESS_ROLE_ADDED

from examples.lms.api import award_certificate, grade
from examples.lms.models import user_data
from examples.tour.desk import COURSES


def make_trouble() -> None:
    """Emit events for which receivers fail, events for which receivers are too slow, and events that Kafka refuses."""
    for learner in range(1, 61):
        award_certificate(learner, COURSES[learner % len(COURSES) - learner % 3])
    for learner in range(1, 241):
        grade(learner, COURSES[learner % len(COURSES)], 0.5)
    with transaction.atomic():
        COURSE_ACCESS_ROLE_ADDED.send_event(course_access_role_data=_role("r" * 2_000_000))  # too large for Kafka
    for name in ("staff", "instructor"):
        send_to_nowhere(name)


def send_to_nowhere(role: str) -> None:
    """
    Send an event that gives a user ``role``. The event's topic does not exist on a real Kafka, so the relay holds the
    topic.
    """
    with transaction.atomic():
        get_producer().send(
            signal=COURSE_ACCESS_ROLE_ADDED,
            topic="learning-nowhere",
            event_key_field="course_access_role_data.course_key",
            event_data={"course_access_role_data": _role(role)},
            event_metadata=EventsMetadata(event_type=COURSE_ACCESS_ROLE_ADDED.event_type, time=datetime.now(UTC)),
        )


def _role(role: str) -> CourseAccessRoleData:
    key = CourseKey.from_string(COURSES[0])
    return CourseAccessRoleData(user=user_data(1), org_key=key.org, course_key=key, role=role)
