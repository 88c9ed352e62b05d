"""The changes that an operator may make to a replay request: pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.operations.dead_letters.requests import CANCEL, PAUSE, RESUME, RequestChange, change_request


@attrs.frozen(kw_only=True)
class Step:
    """A change of a replay request, with the label of its button."""

    change: RequestChange
    label: str | Promise
    done: str | Promise
    """Sentence for the message to the user and for the history, with the placeholder ``%(number)s``."""
    is_final: bool = False

    def take(self, number: int, by: str) -> str:
        """
        Make the change to request ``number``. Return ``done``, or the reason why the change is impossible. Raises a
        database error.
        """
        problem = change_request(self.change, number, by)
        return problem or str(self.done) % {"number": number}


STEPS: Mapping[str, Step] = {
    "pause": Step(change=PAUSE, label=_("Pause"), done=_("Paused replay request %(number)s.")),
    "resume": Step(change=RESUME, label=_("Resume"), done=_("Resumed replay request %(number)s.")),
    "cancel": Step(change=CANCEL, label=_("Cancel"), done=_("Cancelled replay request %(number)s."), is_final=True),
}
"""Name of a step, which is also part of the step's URL → the step."""
