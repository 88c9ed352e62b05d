"""The rows of the tour: what one service does, and what must then show in the database of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """Something that Open edX needs the event bus for."""

    title: str
    story: str
    """What must not show, for one: it is told to whoever watches."""
    sender: str
    """The service that acts: a package of this folder."""
    command: str
    """
    Its management command that acts. It prints a line of JSON for each change that it has committed, with the time
    ``changed_at``; this says what to expect, whatever was sent. It can be run again.
    """
    topic: str
    """Without prefix."""
    receiver: str
    """The service whose worker reads the topic, in a group named like the service."""
    table: str
    """
    The receiver's history: a record for each change that took effect, in the order of ``id``, with the time
    ``received_at``. Each field of a line must equal the column of that name.
    """
    key: str
    """The field by which events are in order."""
    columns: Mapping[str, int]
    """Fields to print, with their widths."""


ROWS = [
    Row(
        title="LMS → Credentials: certificates awarded and revoked",
        story="What is rolled back must not arrive.",
        sender="lms",
        command="grade_courses",
        topic="learning-certificate-lifecycle",
        receiver="credentials",
        table="credentials_credentialchange",
        key="course_key",
        columns={"change": 7, "course_key": 24, "username": 8, "grade": 5},
    ),
    Row(
        title="CMS → Discovery: course runs created and edited in Studio",
        story="What is rolled back must not arrive; what comes twice or late must change nothing.",
        sender="cms",
        command="edit_course_runs",
        topic="course-catalog-info-changed",
        receiver="discovery",
        table="discovery_courserunchange",
        key="course_key",
        columns={"course_key": 24, "name": 20, "start": 10, "hidden": 6},
    ),
]
