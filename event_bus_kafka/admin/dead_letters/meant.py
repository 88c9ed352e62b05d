"""The dead letters that an action applies to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import attrs
from django.http import HttpRequest
from django.utils.translation import gettext as _

from event_bus_kafka.admin.dead_letters.filters import Filters
from event_bus_kafka.operations.dead_letters.selection import Selection

TICKED = "ticked"
UNTIL = "until"
"""
Name of the form field with the time of the latest failure in the plan that the user saw. Letters that failed later are
left out of the action.
"""


@attrs.frozen(kw_only=True)
class Meant:
    """The selection in a POST: the ticked letters, or all letters that match the filters."""

    selection: Selection
    words: str
    """Text that describes the selection in Django's history, without event data."""
    sentence: str
    """
    Sentence that describes the selection on the page that asks for confirmation. It names the filters and searches,
    which may be event data.
    """

    @classmethod
    def of(cls, request: HttpRequest) -> Meant | None:
        """
        Return the posted selection. Return None if no valid id is ticked, if a filter is invalid, or if the filters
        select receivers that are no longer pending.
        """
        if request.POST.get("scope") == TICKED:
            ids = tuple(int(text) for text in request.POST.getlist("id") if text.isdecimal() and len(text) < 19)
            return cls(selection=Selection(ids=ids), words=_("ticked"), sentence=_ticked(ids)) if ids else None
        filters = Filters.of(request)
        if not filters.is_valid or filters.state:
            return None
        words = ", ".join(filters.words()) or _("no filter")
        return cls(
            selection=filters.selection,
            words=_("all that match: %(filters)s") % {"filters": words},
            sentence=_all_with(filters.named()),
        )

    def until(self, moment: datetime | None) -> Selection:
        """Return the selection without letters whose latest failure is after ``moment``."""
        known = [one for one in (moment, self.selection.failed_until) if one]
        return attrs.evolve(self.selection, failed_until=min(known, default=None))


def _ticked(ids: Collection[int]) -> str:
    if len(ids) == 1:
        return _("Chosen: the dead letter with number %(number)s.") % {"number": min(ids)}
    return _("Chosen: the %(count)s dead letters that you have ticked.") % {"count": len(ids)}


def _all_with(filters: Collection[str]) -> str:
    if not filters:
        return _("Chosen: all dead letters. No filter is set.")
    return _("Chosen: all dead letters that match %(filters)s.") % {"filters": "; ".join(filters)}


def moment_of(text: str) -> datetime | None:
    """Return the time that ``text``, the value of a form field, contains; None if ``text`` is not a time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
