"""Receivers that fail or are slow, and the admin page with which an operator repairs the LMS."""

from __future__ import annotations

import os
import time
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED

from examples.platform_events.data import GradeData
from examples.platform_events.signals import COURSE_GRADE_UPDATED


class TroublesConfig(AppConfig):
    name = "examples.tour.desk.troubles"
    label = "troubles"

    def ready(self) -> None:
        if os.environ["EXAMPLES_SERVICE"] == "lms":
            from examples.lms.models import Maintenance  # its app is installed in this service alone

            admin.site.register(Maintenance)
        elif os.environ["EXAMPLES_SERVICE"] == "credentials":
            CERTIFICATE_CREATED.connect(print_on_paper)
            CERTIFICATE_CREATED.connect(tell_employer)
            COURSE_GRADE_UPDATED.connect(draw_transcript)


def print_on_paper(certificate: CertificateData, **_: Any) -> None:
    """Fail for every fourth learner, as if the printer had no paper."""
    if certificate.user.id % 4 == 1:
        raise RuntimeError("no paper")


def tell_employer(certificate: CertificateData, **_: Any) -> None:
    """Fail for every seventh learner, as if the learner had no employer."""
    if certificate.user.id % 7 == 0:
        raise LookupError(certificate.user.id)


def draw_transcript(grade: GradeData, **_: Any) -> None:
    """Take five seconds for each grade, so that the consumer group lags behind."""
    time.sleep(5)
