"""The actions of learners and staff in the LMS."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from openedx_events.analytics.data import TrackingLogData
from openedx_events.analytics.signals import TRACKING_EVENT_EMITTED

from examples.lms.models import Certificate, CourseRole, Enrollment, Grade, Maintenance, user_data
from examples.platform_events.data import ProgramIntentData
from examples.platform_events.signals import PROGRAM_INTENT_DETECTED


class AwardingFailed(Exception):
    """Raised to simulate an error in the middle of a transaction."""


def enroll(user_id: int, course_key: str, mode: str = "audit") -> None:
    enrollment = Enrollment.objects.filter(user_id=user_id, course_key=course_key).first()
    enrollment = enrollment or Enrollment(user_id=user_id, course_key=course_key)
    enrollment.mode, enrollment.is_active = mode, True
    enrollment.announce()


def unenroll(user_id: int, course_key: str) -> None:
    enrollment = Enrollment.objects.get(user_id=user_id, course_key=course_key)
    enrollment.is_active = False
    enrollment.announce()


def grade(user_id: int, course_key: str, percent: float) -> None:
    known = Grade.objects.filter(user_id=user_id, course_key=course_key).first()
    known = known or Grade(user_id=user_id, course_key=course_key)
    known.percent = percent
    known.announce()


def award_certificate(user_id: int, course_key: str) -> None:
    known = Certificate.objects.filter(user_id=user_id, course_key=course_key).first()
    (known or Certificate(user_id=user_id, course_key=course_key)).award()


def revoke_certificate(user_id: int, course_key: str) -> None:
    Certificate.objects.get(user_id=user_id, course_key=course_key).revoke()


def fail_to_award_certificate(user_id: int, course_key: str) -> None:
    """Award a certificate in a transaction that is rolled back. No event is sent."""
    try:
        with transaction.atomic():
            award_certificate(user_id, course_key)
            raise AwardingFailed
    except AwardingFailed:
        return


def give_role(user_id: int, course_key: str, role: str) -> None:
    CourseRole(user_id=user_id, course_key=course_key, role=role).give()


def take_role(user_id: int, course_key: str, role: str) -> None:
    CourseRole.objects.get(user_id=user_id, course_key=course_key, role=role).take()


def visit_program_page(user_id: int, program_uuid: str) -> None:
    """
    Send the event about a learner who visits the page of a program, and so shows interest in the program's other
    courses.
    """
    intent = ProgramIntentData(
        user=user_data(user_id),
        program_uuid=UUID(program_uuid),
        action="visited",
        source="program-page",
        occurred_at=timezone.now(),
    )
    PROGRAM_INTENT_DETECTED.send_event(intent=intent)


def watch_videos(user_id: int, times: int) -> None:
    """
    Send the tracking events of a learner who starts and pauses a video ``times`` times.

    The real LMS would call event-tracking's ``tracker.emit``, whose ``EventBusRoutingBackend`` emits this signal.
    """
    for _ in range(times):
        for name in ("play_video", "pause_video"):
            log = TrackingLogData(name=name, timestamp=timezone.now(), data="{}", context=f'{{"user_id": {user_id}}}')
            TRACKING_EVENT_EMITTED.send_event(tracking_log=log)


def begin_maintenance(part: str) -> None:
    Maintenance.objects.get_or_create(part=part)


def end_maintenance(part: str) -> None:
    Maintenance.objects.filter(part=part).delete()
