"""
What exam attempts change in the LMS.

Four receivers, each with one duty: if one fails, it alone is tried again, the others are done with the event.
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
    """Certificates cannot be changed now."""


class CreditBroken(Exception):
    """Credit cannot be changed until somebody mends it: settings say that no retry would help."""


@receiver([EXAM_ATTEMPT_REJECTED, EXAM_ATTEMPT_VERIFIED, EXAM_ATTEMPT_RESET])
def change_grade(signal: Any, exam_attempt: ExamAttemptData, metadata: EventsMetadata, **_: Any) -> None:
    """Rejected: no points. Verified or reset: the points count again."""
    logger.info("Changing the grade for event %s", metadata.id)
    _note("grade", "zero" if signal is EXAM_ATTEMPT_REJECTED else "restored", exam_attempt, metadata)


@receiver([EXAM_ATTEMPT_SUBMITTED, EXAM_ATTEMPT_RESET])
def change_completion(signal: Any, exam_attempt: ExamAttemptData, metadata: EventsMetadata, **_: Any) -> None:
    """Submitted: the unit is complete. Reset: it is not."""
    _note("completion", "complete" if signal is EXAM_ATTEMPT_SUBMITTED else "cleared", exam_attempt, metadata)


@receiver([EXAM_ATTEMPT_REJECTED, EXAM_ATTEMPT_VERIFIED])
@transaction.atomic
def change_certificate(signal: Any, exam_attempt: ExamAttemptData, metadata: EventsMetadata, **_: Any) -> None:
    """Rejected: a certificate is revoked. Verified: it is valid again. Credentials hears of both."""
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
    """Credit needs a verified exam."""
    if Maintenance.objects.filter(part="credit").exists():
        raise CreditBroken
    outcomes = {EXAM_ATTEMPT_SUBMITTED: "submitted", EXAM_ATTEMPT_VERIFIED: "satisfied", EXAM_ATTEMPT_RESET: "removed"}
    _note("credit", outcomes.get(signal, "failed"), exam_attempt, metadata)


def _note(what: str, change: str, attempt: ExamAttemptData, metadata: EventsMetadata) -> bool:
    """Note a change, once for each event; return whether it is new."""
    values = {"user_id": attempt.student_user.id, "course_key": str(attempt.course_key), "change": change}
    _, created = ExamConsequence.objects.get_or_create(event_id=metadata.id, what=what, defaults=values)
    return created
