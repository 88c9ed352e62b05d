"""Exam attempts, and the events about their changes."""

from __future__ import annotations

from django.db import models, transaction
from opaque_keys.edx.keys import CourseKey, UsageKey
from openedx_events.learning.data import ExamAttemptData, UserData, UserPersonalData
from openedx_events.tooling import OpenEdxPublicSignal


class ExamAttempt(models.Model):
    """A learner's attempt at a proctored exam."""

    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)
    status = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "course_key"], name="one_attempt_each")]

    def __str__(self) -> str:
        return f"attempt {self.pk}"

    @transaction.atomic
    def become(self, status: str, signal: OpenEdxPublicSignal) -> None:
        """Change the attempt's status and send the event, or do neither."""
        self.status = status
        self.save()
        name = f"learner{self.user_id}"
        key = CourseKey.from_string(self.course_key)
        data = ExamAttemptData(
            student_user=UserData(
                pii=UserPersonalData(username=name, email=f"{name}@example.com", name=""),
                id=self.user_id,
                is_active=True,
            ),
            course_key=key,
            usage_key=UsageKey.from_string(f"block-v1:{key.org}+{key.course}+{key.run}+type@sequential+block@exam"),
            exam_type="proctored",
        )
        signal.send_event(exam_attempt=data)


class CourseStaff(models.Model):
    """A user who may review attempts of a course, according to the LMS."""

    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)
    role = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "course_key", "role"], name="each_staff_role_once")]

    def __str__(self) -> str:
        return f"staff {self.pk}"
