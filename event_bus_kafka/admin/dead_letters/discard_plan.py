"""Selects the letters that a page discards, and writes the texts before and after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import attrs
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from event_bus_kafka.admin.actions import ActionPlan
from event_bus_kafka.admin.dead_letters.filters import Filters
from event_bus_kafka.admin.shapes import Table
from event_bus_kafka.operations.dead_letters.discarding import Discarded, DiscardPlan
from event_bus_kafka.operations.dead_letters.paging import Count
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.shown import shown

TICKED, ALL = "ticked", "all"
_NAMES_IN_HISTORY = 5


@attrs.frozen(kw_only=True)
class Meant:
    """The letters that a POST selects: the ticked ones, or all that match, up to the latest one counted by a plan."""

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


def action_plan(plan: DiscardPlan, *, before: Discarded | None) -> ActionPlan:
    """Return the confirmation page of a discard; ``before``: the result of the slice deleted just now, if any."""
    letters = number_of(plan.count)
    said = [
        _("%(letters)s will be deleted for good, events included: no receiver gets these from here again.")
        % {"letters": letters},
        _("A letter that fails again before you confirm stays."),
    ]
    if before:
        done = _("%(done)s are deleted. There was not enough time for all in one go: %(left)s are left.")
        said.insert(0, done % {"done": number_of(_exact(before.number)), "left": letters})
    return ActionPlan(
        title=_("Discard dead letters"),
        sentences=said,
        button=_("Discard %(letters)s") % {"letters": letters},
        tables=[
            Table(
                caption=_("Receivers that have still to succeed"),
                columns=[_("Receiver"), _("Letters")],
                rows=[(shown(name) or _("none had its turn"), number) for name, number in plan.receivers.items()],
            ),
            Table(
                caption=_("Where they are from"),
                columns=[_("Group"), _("Topic"), _("Letters")],
                rows=[(shown(group), shown(topic), number) for (group, topic), number in plan.records.items()],
            ),
        ],
        is_final=True,
    )


def done_words(done: Discarded, meant: Meant) -> str:
    """Return the line for message and history: the action and the number of letters."""
    words = _("Discarded %(letters)s (%(meant)s). Receivers: %(receivers)s.") % {
        "letters": number_of(_exact(done.number)),
        "meant": meant.words,
        "receivers": _names(done.receivers),
    }
    if done.problem:
        return words + _(" Then the database failed: %(problem)s.") % {"problem": done.problem}
    if done.left.number:
        words += _(" Left: %(left)s.") % {"left": number_of(done.left)}
    return words


def number_of(count: Count) -> str:
    """Return a count with its noun."""
    return ngettext("%(count)s dead letter", "%(count)s dead letters", count.number) % {"count": str(count)}


def _exact(number: int) -> Count:
    return Count(number=number, is_more=False)


def _names(receivers: Mapping[str, int]) -> str:
    named = [f"{shown(name) or _('none had its turn')} ({number})" for name, number in receivers.items()]
    more = len(named) - _NAMES_IN_HISTORY
    shown_names = ", ".join(named[:_NAMES_IN_HISTORY]) or _("none")
    return f"{shown_names}, +{more}" if more > 0 else shown_names
