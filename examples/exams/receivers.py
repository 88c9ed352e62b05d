"""The receivers of the exams service, for events of the LMS."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from openedx_events.learning.data import CourseAccessRoleData
from openedx_events.learning.signals import COURSE_ACCESS_ROLE_ADDED, COURSE_ACCESS_ROLE_REMOVED

from examples.exams.models import CourseStaff


@receiver(COURSE_ACCESS_ROLE_ADDED)
def add_staff(course_access_role_data: CourseAccessRoleData, **_: Any) -> None:
    """Add a member to the staff of a course."""
    CourseStaff.objects.get_or_create(**_named(course_access_role_data))


@receiver(COURSE_ACCESS_ROLE_REMOVED)
def remove_staff(course_access_role_data: CourseAccessRoleData, **_: Any) -> None:
    """Remove a member from the staff of a course."""
    CourseStaff.objects.filter(**_named(course_access_role_data)).delete()


def _named(role: CourseAccessRoleData) -> dict[str, Any]:
    return {"user_id": role.user.id, "course_key": str(role.course_key), "role": role.role}
