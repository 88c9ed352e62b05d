"""Enrolments, grades, certificates and roles, with the events about their changes."""

from __future__ import annotations

from django.db import models, transaction
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey
from openedx_events.learning.data import (
    CertificateData,
    CourseAccessRoleData,
    CourseData,
    CourseEnrollmentData,
    UserData,
    UserPersonalData,
)
from openedx_events.learning.signals import (
    CERTIFICATE_CREATED,
    CERTIFICATE_REVOKED,
    COURSE_ACCESS_ROLE_ADDED,
    COURSE_ACCESS_ROLE_REMOVED,
    COURSE_ENROLLMENT_CHANGED,
    COURSE_ENROLLMENT_CREATED,
    COURSE_UNENROLLMENT_COMPLETED,
)

from examples.platform_events.data import GradeData
from examples.platform_events.signals import COURSE_GRADE_UPDATED

PASSING_PERCENT = 0.5


def user_data(user_id: int) -> UserData:
    name = f"learner{user_id}"
    return UserData(
        pii=UserPersonalData(username=name, email=f"{name}@example.com", name=""), id=user_id, is_active=True
    )


class OfLearnerInCourse(models.Model):
    """Base of models with one row for each learner and course run."""

    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
        constraints = [models.UniqueConstraint(fields=["user_id", "course_key"], name="one_%(class)s_each")]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def course_data(self) -> CourseData:
        return CourseData(course_key=CourseKey.from_string(self.course_key))


class Enrollment(OfLearnerInCourse):
    mode = models.CharField(max_length=20, default="audit")
    is_active = models.BooleanField(default=True)
    created = models.DateTimeField(auto_now_add=True)

    @transaction.atomic
    def announce(self) -> None:
        """Save the enrolment and send its event, or do neither."""
        signal = COURSE_ENROLLMENT_CHANGED if self.pk else COURSE_ENROLLMENT_CREATED
        self.save()
        data = CourseEnrollmentData(
            user=user_data(self.user_id),
            course=self.course_data,
            mode=self.mode,
            is_active=self.is_active,
            creation_date=self.created,
        )
        if not self.is_active:
            signal = COURSE_UNENROLLMENT_COMPLETED
        signal.send_event(time=self.modified, enrollment=data)


class Grade(OfLearnerInCourse):
    percent = models.FloatField()
    passed_at = models.DateTimeField(null=True)

    @transaction.atomic
    def announce(self) -> None:
        """Save the grade and send its event, or do neither. The event is sent even if the learner has not passed."""
        passed = self.percent >= PASSING_PERCENT
        self.passed_at = (self.passed_at or timezone.now()) if passed else None
        self.save()
        data = GradeData(
            user_id=self.user_id,
            course=self.course_data,
            percent_grade=self.percent,
            letter_grade="Pass" if passed else "",
            course_version="1",
            grading_policy_hash="",
            course_edited_timestamp=self.modified,
            passed_timestamp=self.passed_at,
        )
        COURSE_GRADE_UPDATED.send_event(time=self.modified, grade=data)


class Certificate(OfLearnerInCourse):
    status = models.CharField(max_length=20)

    @transaction.atomic
    def award(self) -> None:
        """
        Save the certificate and send its event, or do neither. If the certificate is rolled back, no event is sent.
        """
        data = self._change(previous_status="requesting", status="downloadable")
        CERTIFICATE_CREATED.send_event(time=self.modified, certificate=data)

    @transaction.atomic
    def revoke(self) -> None:
        """Revoke the certificate and send its event, or do neither."""
        data = self._change(previous_status="downloadable", status="notpassing")
        CERTIFICATE_REVOKED.send_event(time=self.modified, certificate=data)

    def _change(self, *, previous_status: str, status: str) -> CertificateData:
        """Save the certificate; return the event's data."""
        self.status = status
        self.save()
        return CertificateData(
            user=user_data(self.user_id),
            course=self.course_data,
            mode="verified",
            grade="",
            download_url="",
            name="",
            current_status=status,
            previous_status=previous_status,
        )


class CourseRole(models.Model):
    """A role of a member of the course staff."""

    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)
    role = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "course_key", "role"], name="each_role_once")]

    def __str__(self) -> str:
        return f"role {self.pk}"

    @transaction.atomic
    def give(self) -> None:
        self.save()
        COURSE_ACCESS_ROLE_ADDED.send_event(course_access_role_data=self._as_data())

    @transaction.atomic
    def take(self) -> None:
        self.delete()
        COURSE_ACCESS_ROLE_REMOVED.send_event(course_access_role_data=self._as_data())

    def _as_data(self) -> CourseAccessRoleData:
        key = CourseKey.from_string(self.course_key)
        return CourseAccessRoleData(user=user_data(self.user_id), org_key=key.org, course_key=key, role=self.role)


# Only receivers write the following models, with data from events of other services.


class Booking(models.Model):
    """The payment or the refund of an order. Each is stored once, even if the shop sends several events about it."""

    order_number = models.CharField(max_length=50)
    status = models.CharField(max_length=20)
    amount_cents = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order_number", "status"], name="booked_once")]

    def __str__(self) -> str:
        return f"booking {self.pk}"


class JournalEntry(models.Model):
    """An event of the shop; the table has a row for each event."""

    order_number = models.CharField(max_length=50)
    status = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"entry {self.pk}"


class License(models.Model):
    """A learner's licence of a subscription."""

    uuid = models.UUIDField(unique=True)
    statuses = models.JSONField(default=list, help_text="all its states, in order")
    changed_at = models.DateTimeField(help_text="when it was changed; older events are ignored")

    def __str__(self) -> str:
        return f"license {self.pk}"


class ExamConsequence(models.Model):
    """
    A change that an exam attempt has caused: a row for each change of a grade, a completion, a certificate or credit.
    """

    what = models.CharField(max_length=20)
    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)
    change = models.CharField(max_length=20)
    event_id = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event_id", "what"], name="one_consequence_each")]

    def __str__(self) -> str:
        return f"consequence {self.pk}"


class CatalogEntry(models.Model):
    """The catalog's data about a course run, stored here so that the LMS need not ask Discovery."""

    course_key = models.CharField(max_length=255, unique=True)
    title = models.CharField(max_length=255)
    status = models.CharField(max_length=20)
    changed_at = models.DateTimeField(help_text="when Discovery changed it; older events are ignored")

    def __str__(self) -> str:
        return self.course_key


class Maintenance(models.Model):
    """A part of the LMS that does not work at present."""

    part = models.CharField(max_length=20, unique=True)

    def __str__(self) -> str:
        return self.part
