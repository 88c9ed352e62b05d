"""Certificates, and the events that their changes emit."""

from __future__ import annotations

from django.db import models, transaction
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey
from openedx_events.learning.data import CertificateData, CourseData, UserData, UserPersonalData
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED


class Certificate(models.Model):
    """A learner's certificate in a course run."""

    user_id = models.BigIntegerField()
    username = models.CharField(max_length=150)
    course_key = models.CharField(max_length=255)
    grade = models.CharField(max_length=5, blank=True)
    status = models.CharField(max_length=20)
    modified = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "course_key"], name="one_per_learner_and_course")]

    def __str__(self) -> str:
        return f"certificate {self.pk}"

    @transaction.atomic
    def award(self) -> None:
        """Save it and announce it, both or neither: the event leaves when the outermost transaction commits."""
        data = self._change(previous_status="requesting", status="downloadable")
        CERTIFICATE_CREATED.send_event(time=self.modified, certificate=data)

    @transaction.atomic
    def revoke(self) -> None:
        """Take it away."""
        data = self._change(previous_status="downloadable", status="notpassing")
        CERTIFICATE_REVOKED.send_event(time=self.modified, certificate=data)

    def _change(self, *, previous_status: str, status: str) -> CertificateData:
        """Save it; return what other services are told."""
        self.status, self.modified = status, timezone.now()
        self.save()
        pii = UserPersonalData(username=self.username, email=f"{self.username}@example.com", name="")
        return CertificateData(
            user=UserData(pii=pii, id=self.user_id, is_active=True),
            course=CourseData(course_key=CourseKey.from_string(self.course_key), display_name=""),
            mode="verified",
            grade=self.grade,
            current_status=self.status,
            download_url="",
            name="",
            previous_status=previous_status,
        )
