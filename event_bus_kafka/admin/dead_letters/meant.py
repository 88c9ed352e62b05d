"""Which dead letters an action of a page is about."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
from django.http import HttpRequest
from django.utils.translation import gettext as _

from event_bus_kafka.admin.dead_letters.filters import Filters
from event_bus_kafka.operations.dead_letters.selection import Selection

TICKED = "ticked"
UNTIL = "until"
"""The field with the latest failure that a plan has seen."""


@attrs.frozen(kw_only=True)
class Meant:
    """Posted selection: ticked letters, or all that match, up to the latest one that a plan has counted."""

    selection: Selection
    words: str
    """For the history: contains no event data."""

    @classmethod
    def of(cls, request: HttpRequest) -> Meant | None:
        """Return the selection; None if nothing was ticked, or the POST is invalid."""
        if request.POST.get("scope") == TICKED:
            ids = tuple(int(text) for text in request.POST.getlist("id") if text.isdecimal() and len(text) < 19)
            return cls(selection=Selection(ids=ids), words=_("ticked")) if ids else None
        filters = Filters.of(request)
        if not filters.is_valid or filters.state:
            return None
        words = ", ".join(filters.words()) or _("no filter")
        return cls(selection=filters.selection, words=_("all that match: %(filters)s") % {"filters": words})

    def until(self, moment: datetime | None) -> Selection:
        """Leave out letters that fail after a moment."""
        known = [one for one in (moment, self.selection.failed_until) if one]
        return attrs.evolve(self.selection, failed_until=min(known, default=None))


def moment_of(text: str) -> datetime | None:
    """Read a moment that a plan has written into its form; None where there is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
