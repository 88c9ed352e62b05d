"""The events that all compared packages send: certificates of a thousand learners in fifty courses."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import attrs
from opaque_keys.edx.keys import CourseKey
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CertificateData, CourseData, UserData, UserPersonalData
from openedx_events.learning.signals import CERTIFICATE_CREATED

SIGNAL = CERTIFICATE_CREATED
KEY_FIELD = "certificate.user.id"
_LEARNERS = 1_000
_COURSES = 50
_TIME = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)

Sample = tuple[dict[str, Any], EventsMetadata]


def samples(count: int) -> list[Sample]:
    """
    Return ``count`` pairs of event data and metadata. They are made before the measurement, since their cost belongs to
    the service, not to the bus.
    """
    certificates = [certificate(number) for number in range(_LEARNERS)]
    return [(data, SIGNAL.generate_signal_metadata()) for data in islice(cycle(certificates), count)]


def fixed_samples(count: int) -> list[Sample]:
    """
    Return pairs like :func:`samples`, but with ids, times and hosts that are the same in each run, since the cost
    depends on their text.
    """
    return [
        (data, attrs.evolve(metadata, id=uuid5(NAMESPACE_URL, str(number)), time=_TIME, sourcehost="host"))
        for number, (data, metadata) in enumerate(samples(count))
    ]


def certificate(number: int) -> dict[str, Any]:
    """Return the event data of a learner's certificate."""
    course = CourseKey.from_string(f"course-v1:UniversityX+CS{number % _COURSES}+2026_T1")
    name = f"Learner {number}"
    pii = UserPersonalData(username=f"learner_{number}", email=f"learner_{number}@example.com", name=name)
    return {
        "certificate": CertificateData(
            user=UserData(pii=pii, id=1_000_000 + number, is_active=True),
            course=CourseData(course_key=course, display_name="Introduction to Computer Science"),
            mode="verified",
            grade="0.87",
            current_status="downloadable",
            download_url=f"https://lms.example.com/certificates/{number:032x}",
            name=name,
        )
    }
