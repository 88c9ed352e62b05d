"""``grade_courses``: award and revoke certificates, as the end of a term would, and say what was done."""

from __future__ import annotations

import json
from copy import copy
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from examples.lms.models import Certificate


class GradingFailed(Exception):
    """Something went wrong in the middle of a transaction."""


class Command(BaseCommand):
    help = "Award certificates in some courses, revoke some, and print a line of JSON for each committed change."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--courses", type=int, default=3, help="number of courses (default: 3)")
        parser.add_argument("--learners", type=int, default=4, help="learners per course (default: 4)")

    def handle(self, *args: Any, **options: Any) -> None:
        for user_id in range(1, options["learners"] + 1):
            for course in range(1, options["courses"] + 1):
                self.grade(user_id, f"course-v1:edX+Demo{course}+2026")

    def grade(self, user_id: int, course_key: str) -> None:
        """Award a certificate; revoke it for every second learner; fail to award it at first for every third."""
        certificate = self.certificate(user_id, course_key)
        if user_id % 3 == 0:
            self.fail_to_award(certificate)
        certificate.grade = "" if user_id % 2 else "0.97"
        certificate.award()
        self.say("awarded", certificate)
        if user_id % 2 == 0:
            certificate.revoke()
            self.say("revoked", certificate)

    def certificate(self, user_id: int, course_key: str) -> Certificate:
        known = Certificate.objects.filter(user_id=user_id, course_key=course_key).first()
        return known or Certificate(user_id=user_id, username=f"learner{user_id}", course_key=course_key)

    def fail_to_award(self, certificate: Certificate) -> None:
        """Roll back: of this award nobody hears."""
        failing = copy(certificate)  # a rollback undoes the row, not the object
        failing.grade = "wrong"
        try:
            with transaction.atomic():
                failing.award()
                raise GradingFailed
        except GradingFailed:
            return

    def say(self, what: str, certificate: Certificate) -> None:
        change = {
            "change": what,
            "course_key": certificate.course_key,
            "user_id": certificate.user_id,
            "username": certificate.username,
            "grade": certificate.grade,
            "status": certificate.status,
            "changed_at": certificate.modified.isoformat(),
        }
        self.stdout.write(json.dumps(change))
