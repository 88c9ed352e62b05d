"""Texts about the dead letters that a replay would leave out, with the reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from event_bus_kafka.admin.dead_letters.listing import place
from event_bus_kafka.admin.shapes import Cell, Linked, Table
from event_bus_kafka.operations.dead_letters.request_plan import RequestPlan
from event_bus_kafka.shown import shown

_SHOWN = 20
"""Maximum length of each of two lists: the reasons, and the letters that cannot be replayed."""


def left_out_tables(planned: RequestPlan, letter_url: Callable[..., str]) -> list[Table]:
    """
    Return the tables about letters that are left out: one with the reasons, one with the letters. If all these letters
    share one reason, the table of reasons is omitted, because a sentence names the reason. If, in addition, no letter
    would be replayed, the table of letters is omitted, too, because it would only repeat the user's selection.
    """
    if not only_reason(planned):
        return [_reasons(planned), _left_out(planned, letter_url)]
    return [_left_out(planned, letter_url)] if planned.requested else []


def only_reason(planned: RequestPlan) -> str:
    """Return the reason that all left-out letters share. Empty: there are several reasons, or no letter is left out."""
    reasons = {one.problem for one in planned.left_out}
    return on_the_page(reasons.pop()) if len(reasons) == 1 else ""


def left_out_words(planned: RequestPlan, reason: str) -> str:
    return _("Left out: %(letters)s. The reason: %(reason)s.") % {
        "letters": letters_words(len(planned.left_out)),
        "reason": reason,
    }


def _reasons(planned: RequestPlan) -> Table:
    reasons = Counter(one.problem for one in planned.left_out)
    return Table(
        caption=_("What could not run, and is left out"),
        columns=[_("Reason"), _("Letters")],
        rows=[(on_the_page(reason), number) for reason, number in reasons.most_common(_SHOWN)],
    )


def _left_out(planned: RequestPlan, letter_url: Callable[..., str]) -> Table:
    rows: list[list[Cell]] = [
        [Linked(text=place(one.letter), url=letter_url("letter", one.letter.pk)), shown(one.letter.group)]
        for one in planned.left_out[:_SHOWN]
    ]
    number = len(planned.left_out)
    caption = _("Letters that are left out")
    if number > _SHOWN:
        caption = _("The first %(shown)s of %(all)s that are left out") % {"shown": _SHOWN, "all": f"{number:,}"}
    return Table(caption=caption, columns=[_("Record"), _("Group")], rows=rows)


def on_the_page(problem: str) -> str:
    """Replace the names of the command's options in ``problem`` by the words of the page."""
    for option, field in (("--receiver", _("Only this receiver")), ("--instead-of", _("Old name"))):
        problem = problem.replace(f"with {option}", _('in the field "%(field)s"') % {"field": field})
    return shown(problem)


def letters_words(number: int) -> str:
    return ngettext("%(count)s dead letter", "%(count)s dead letters", number) % {"count": f"{number:,}"}
