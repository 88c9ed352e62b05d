"""The actions of learners and reviewers on exam attempts."""

from __future__ import annotations

from openedx_events.learning.signals import (
    EXAM_ATTEMPT_ERRORED,
    EXAM_ATTEMPT_REJECTED,
    EXAM_ATTEMPT_RESET,
    EXAM_ATTEMPT_SUBMITTED,
    EXAM_ATTEMPT_VERIFIED,
)

from examples.exams.models import ExamAttempt


def submit_attempt(user_id: int, course_key: str) -> None:
    attempt = ExamAttempt.objects.filter(user_id=user_id, course_key=course_key).first()
    (attempt or ExamAttempt(user_id=user_id, course_key=course_key)).become("submitted", EXAM_ATTEMPT_SUBMITTED)


def reject_attempt(user_id: int, course_key: str) -> None:
    _attempt(user_id, course_key).become("rejected", EXAM_ATTEMPT_REJECTED)


def verify_attempt(user_id: int, course_key: str) -> None:
    _attempt(user_id, course_key).become("verified", EXAM_ATTEMPT_VERIFIED)


def report_error(user_id: int, course_key: str) -> None:
    _attempt(user_id, course_key).become("errored", EXAM_ATTEMPT_ERRORED)


def reset_attempt(user_id: int, course_key: str) -> None:
    _attempt(user_id, course_key).become("reset", EXAM_ATTEMPT_RESET)


def _attempt(user_id: int, course_key: str) -> ExamAttempt:
    return ExamAttempt.objects.get(user_id=user_id, course_key=course_key)
