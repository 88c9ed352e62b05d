"""``grade_courses``: award and revoke certificates, as the end of a term would, and say what was done."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED

from examples.lms.models import Certificate


class GradingFailed(Exception):
    """Something went wrong in the middle of a transaction."""


class Command(BaseCommand):
    help = "Award certificates to learners of some courses, revoke some, and print a line of JSON for each event."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--courses", type=int, default=3, help="number of courses (default: 3)")
        parser.add_argument("--learners", type=int, default=4, help="learners per course (default: 4)")

    def handle(self, *args: Any, **options: Any) -> None:
        CERTIFICATE_CREATED.connect(self.say, dispatch_uid="grade_courses")
        CERTIFICATE_REVOKED.connect(self.say, dispatch_uid="grade_courses")
        for user_id in range(1, options["learners"] + 1):
            for course in range(1, options["courses"] + 1):
                self.grade(user_id, f"course-v1:edX+Demo{course}+2026")

    def grade(self, user_id: int, course_key: str) -> None:
        """Award a certificate; revoke it for every second learner; fail for a while for every third."""
        certificate = Certificate(user_id=user_id, username=f"learner{user_id}", course_key=course_key)
        if user_id % 3 == 0:
            self.fail_to_award(certificate)
        certificate.grade = "" if user_id % 2 else "0.97"
        with transaction.atomic():
            certificate.award()
        if user_id % 2 == 0:
            with transaction.atomic():
                certificate.revoke()

    def fail_to_award(self, certificate: Certificate) -> None:
        """Roll back: of this award nobody hears."""
        try:
            with transaction.atomic():
                Certificate(
                    user_id=certificate.user_id,
                    username=certificate.username,
                    course_key=certificate.course_key,
                    grade="wrong",
                ).award()
                raise GradingFailed
        except GradingFailed:
            return

    def say(self, signal: Any, certificate: CertificateData, metadata: Any, **_: Any) -> None:
        """Print what an event says, once its transaction has committed."""
        line = json.dumps(
            {
                "event_id": str(metadata.id),
                "change": "awarded" if signal is CERTIFICATE_CREATED else "revoked",
                "course_key": str(certificate.course.course_key),
                "user_id": certificate.user.id,
                "username": certificate.user.pii.username,
                "grade": certificate.grade,
                "status": certificate.current_status,
                "sent_at": time.time(),
            }
        )
        transaction.on_commit(lambda: self.stdout.write(line))
