"""A backend for the package event-tracking."""

from typing import Any

from tests.projects.certificates.apps import say


class Said:
    """Prints the events that it receives."""

    def send(self, event: dict[str, Any]) -> None:
        say("tracked", event=event)
