"""The steps that an operator may take with a replay request: pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.operations.dead_letters.requests import CANCEL, PAUSE, RESUME, RequestChange, change_request


@attrs.frozen(kw_only=True)
class Step:
    """A change of a request, in the words of the pages."""

    change: RequestChange
    label: str | Promise
    done: str | Promise
    """Sentence for message and history, with the placeholder ``%(number)s``."""
    is_final: bool = False

    def take(self, number: int, by: str) -> str:
        """Change a request; return a sentence on the change, or on the reason against it. Raises a database error."""
        problem = change_request(self.change, number, by)
        return problem or str(self.done) % {"number": number}


STEPS: Mapping[str, Step] = {
    "pause": Step(change=PAUSE, label=_("Pause"), done=_("Paused replay request %(number)s.")),
    "resume": Step(change=RESUME, label=_("Resume"), done=_("Resumed replay request %(number)s.")),
    "cancel": Step(change=CANCEL, label=_("Cancel"), done=_("Cancelled replay request %(number)s."), is_final=True),
}
"""The steps by name, which is part of the URL."""
