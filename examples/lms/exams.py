"""
Changes in the LMS that follow from exam attempts.

Each of the four receivers has one duty. If one receiver fails, only this receiver is retried, because the other
receivers have processed the event.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.dispatch import receiver
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import ExamAttemptData
from openedx_events.learning.signals import (
    EXAM_ATTEMPT_ERRORED,
    EXAM_ATTEMPT_REJECTED,
    EXAM_ATTEMPT_RESET,
    EXAM_ATTEMPT_SUBMITTED,
    EXAM_ATTEMPT_VERIFIED,
)

from examples.lms.models import Certificate, ExamConsequence, Maintenance

logger = logging.getLogger(__name__)


class CertificatesOutOfOrder(Exception):
    """Raised to simulate that certificates cannot be changed now."""


class CreditBroken(Exception):
    """
    Simulates that credit cannot be changed. EVENT_BUS_KAFKA_RETRY lists this error as final, because no retry helps.
    """


@receiver([EXAM_ATTEMPT_REJECTED, EXAM_ATTEMPT_VERIFIED, EXAM_ATTEMPT_RESET])
def change_grade(signal: Any, exam_attempt: ExamAttemptData, metadata: EventsMetadata, **_: Any) -> None:
    """Store a change of the grade: zero if the attempt was rejected, restored if it was verified or reset."""
    logger.info("Changing the grade for event %s", metadata.id)
    _note("grade", "zero" if signal is EXAM_ATTEMPT_REJECTED else "restored", exam_attempt, metadata)


@receiver([EXAM_ATTEMPT_SUBMITTED, EXAM_ATTEMPT_RESET])
def change_completion(signal: Any, exam_attempt: ExamAttemptData, metadata: EventsMetadata, **_: Any) -> None:
    """Store a change of the completion: complete if the attempt was submitted, cleared if it was reset."""
    _note("completion", "complete" if signal is EXAM_ATTEMPT_SUBMITTED else "cleared", exam_attempt, metadata)


@receiver([EXAM_ATTEMPT_REJECTED, EXAM_ATTEMPT_VERIFIED])
@transaction.atomic
def change_certificate(signal: Any, exam_attempt: ExamAttemptData, metadata: EventsMetadata, **_: Any) -> None:
    """
    Revoke the learner's certificate if the attempt is rejected, and award it again if the attempt is verified. Each
    change sends an event, which Credentials reads. A learner without a certificate gets none.
    """
    if Maintenance.objects.filter(part="certificates").exists():
        raise CertificatesOutOfOrder
    user_id, course_key = exam_attempt.student_user.id, str(exam_attempt.course_key)
    certificate = Certificate.objects.select_for_update().filter(user_id=user_id, course_key=course_key).first()
    rejected = signal is EXAM_ATTEMPT_REJECTED
    if _note("certificate", "revoked" if rejected else "awarded", exam_attempt, metadata) and certificate:
        certificate.revoke() if rejected else certificate.award()


@receiver(
    [
        EXAM_ATTEMPT_SUBMITTED,
        EXAM_ATTEMPT_VERIFIED,
        EXAM_ATTEMPT_REJECTED,
        EXAM_ATTEMPT_ERRORED,
        EXAM_ATTEMPT_RESET,
    ]
)
def change_credit(signal: Any, exam_attempt: ExamAttemptData, metadata: EventsMetadata, **_: Any) -> None:
    """
    Store the status of the learner's credit: "submitted", "satisfied", "removed" or "failed". Only a verified attempt
    satisfies the requirement.
    """
    if Maintenance.objects.filter(part="credit").exists():
        raise CreditBroken
    outcomes = {EXAM_ATTEMPT_SUBMITTED: "submitted", EXAM_ATTEMPT_VERIFIED: "satisfied", EXAM_ATTEMPT_RESET: "removed"}
    _note("credit", outcomes.get(signal, "failed"), exam_attempt, metadata)


def _note(what: str, change: str, attempt: ExamAttemptData, metadata: EventsMetadata) -> bool:
    """
    Store a change of ``what``, for example of ``credit``, once per event. Return False if the change was stored before.
    """
    values = {"user_id": attempt.student_user.id, "course_key": str(attempt.course_key), "change": change}
    _, created = ExamConsequence.objects.get_or_create(event_id=metadata.id, what=what, defaults=values)
    return created
