"""A backend of event-tracking."""

from typing import Any

from tests.projects.certificates.apps import say


class Said:
    """Says what it gets."""

    def send(self, event: dict[str, Any]) -> None:
        say("tracked", event=event)
