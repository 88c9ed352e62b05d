"""A receiver of a signal that Django defines."""

from typing import Any

from tests.projects.lms_like.courseware.models import Certificate
from tests.projects.lms_like.emitting import emit


def announce(instance: Certificate, **_: Any) -> None:
    """Emit an event about an object that the view of this plugin has saved."""
    if instance.name.endswith("/plugin"):
        emit(instance.name)
