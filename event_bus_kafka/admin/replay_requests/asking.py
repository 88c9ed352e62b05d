"""
Texts of the page on which a user plans a replay: the receivers that would run, and the letters that would be left out,
with the reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import attrs
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from event_bus_kafka.admin.actions import CONFIRMED
from event_bus_kafka.admin.dead_letters.listing import place
from event_bus_kafka.admin.dead_letters.meant import UNTIL
from event_bus_kafka.admin.shapes import Cell, Linked, Table
from event_bus_kafka.models import ReplayRequest
from event_bus_kafka.operations.dead_letters.paging import COUNTED
from event_bus_kafka.operations.dead_letters.request_plan import STOP_AFTER, RequestPlan, Wish
from event_bus_kafka.operations.dead_letters.requests import obstacle_before
from event_bus_kafka.operations.event_catalogue import event_types
from event_bus_kafka.shown import shown

_SHOWN = 20
"""Maximum length of each of two lists: the reasons, and the letters that cannot be replayed."""
_NAMES_SHOWN = 5
_PREFIX = "run"
_NAME_LENGTH = 500


def _named(datalist: str) -> forms.TextInput:
    return forms.TextInput(attrs={"list": f"event-bus-{datalist}"})


class ReceiverForm(forms.Form):
    """The form in which a user selects the receivers that the replay calls."""

    receiver = forms.CharField(
        label=gettext_lazy("Only this receiver (empty: all that have still to succeed)"),
        widget=_named("receivers"),
        max_length=_NAME_LENGTH,
        required=False,
    )
    instead_of = forms.CharField(
        label=gettext_lazy("In place of this former receiver, which no longer exists"),
        widget=_named("missing"),
        max_length=_NAME_LENGTH,
        required=False,
    )


class WishForm(forms.Form):
    """The form for three values of a replay: the rate, the limit of failures, and the reason."""

    reason = forms.CharField(
        label=gettext_lazy("Reason (shown to other operators; no personal data)"), max_length=500, required=False
    )
    rate = forms.FloatField(
        label=gettext_lazy("Letters a second at most (empty: as many as live events leave time for)"),
        min_value=0.01,
        required=False,
    )
    stop_after = forms.IntegerField(
        label=gettext_lazy("End it after so many failures in a row"), min_value=1, max_value=1_000_000
    )


@attrs.frozen(kw_only=True)
class Asked:
    """The filled-in form on the page that plans a replay."""

    receivers: ReceiverForm
    wishes: WishForm
    is_valid: bool
    wish: Wish
    """The user's choices. Values from invalid forms are left out."""

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        """
        Read the form from a POST. The first POST comes from a page of dead letters, and has no values for this form: if
        that page lists the letters of one receiver, the form proposes to call only this receiver.
        """
        filtered = {f"{_PREFIX}-receiver": request.POST.get("receiver", "")}
        is_first = request.POST.keys().isdisjoint(_receiver_names())
        receivers = ReceiverForm(filtered if is_first else request.POST, prefix=_PREFIX)
        wishes = WishForm(request.POST if CONFIRMED in request.POST else None, initial={"stop_after": STOP_AFTER})
        values = {
            name: value for form in (receivers, wishes) if form.is_valid() for name, value in form.cleaned_data.items()
        }
        return cls(
            receivers=receivers,
            wishes=wishes,
            is_valid=receivers.is_valid() and wishes.is_valid(),
            wish=Wish(requested_by=request.user.get_username()[:255], **values),
        )


def asking(
    request: HttpRequest,
    asked: Asked,
    planned: RequestPlan | None,
    *,
    until: datetime | None,
    letter_url: Callable[..., str],
) -> dict[str, Any]:
    """
    Return the context for the template. ``planned``: None if more than :data:`COUNTED` letters match; the page then
    refuses to make a request. ``until``: the time of the latest failure in the plan that the user saw; None: this is
    the first plan. ``letter_url`` returns the URL of a page of dead letters, by its name.
    """
    is_too_much, planned = planned is None, planned or RequestPlan()
    own = {CONFIRMED, "csrfmiddlewaretoken", UNTIL, *asked.wishes.fields, *_receiver_names()}
    return {
        "sentences": [_too_much()] if is_too_much else list(_sentences(planned)),
        "obstacles": list(_obstacles(planned, asked.wish)),
        "tables": [] if is_too_much else list(_tables(planned, letter_url)),
        "asked": asked,
        "names": {"receivers": _names(planned), "missing": _missing(planned)},
        "fields": [(name, text) for name, texts in request.POST.lists() if name not in own for text in texts],
        "until": (UNTIL, until.isoformat() if until else _latest(planned)),
        "confirmed": CONFIRMED,
        "button": _("Request the replay of %(letters)s") % {"letters": _letters(len(planned.requested))},
        "is_empty": not planned.requested,
        "back_url": letter_url(),
    }


def _receiver_names() -> set[str]:
    return {f"{_PREFIX}-{name}" for name in ReceiverForm.base_fields}


def made_words(made: ReplayRequest, letters: int, meant: str) -> str:
    """
    Return the line for the message to the user and for the history: the action, the number of letters, the receivers
    and the reason, without event data.
    """
    names, more = list(map(shown, made.receivers[:_NAMES_SHOWN])), len(made.receivers) - _NAMES_SHOWN
    words = _("Requested replay %(number)s: %(letters)s of group %(group)s (%(meant)s). Receivers: %(receivers)s.") % {
        "number": made.pk,
        "letters": _letters(letters),
        "group": shown(made.group),
        "meant": meant,
        "receivers": ", ".join([*names, *([f"+{more}"] if more > 0 else [])]),
    }
    return words + (_(" Reason: %(reason)s.") % {"reason": shown(made.reason)} if made.reason else "")


def _sentences(planned: RequestPlan) -> Iterator[str]:
    if not planned.requested:
        yield _("Nothing would run.")
        return
    yield _("%(letters)s would be given to receivers again, by workers of: %(groups)s.") % {
        "letters": _letters(len(planned.requested)),
        "groups": ", ".join(map(shown, planned.groups)),
    }
    if planned.elsewhere:
        yield _("%(letters)s of these are for a service with other receivers, whose workers say what runs.") % {
            "letters": _letters(len(planned.elsewhere))
        }
    yield _(
        "Workers do it between the records that they read; live events come first. A letter whose receivers succeed is "
        "deleted, one that fails stays with its new error."
    )
    yield _("A letter that fails again before you confirm is left out.")


def _too_much() -> str:
    return _(
        "More than %(most)s dead letters match, and a request that is made here has no more. Narrow them by filters, "
        "such as receiver, group, or when they failed; or make it by manage.py event_dead_letters replay --request."
    ) % {"most": f"{COUNTED:,}"}


def _obstacles(planned: RequestPlan, wish: Wish) -> Iterator[str]:
    for group in planned.groups:
        if text := obstacle_before(group, planned.topics(group), planned.wanted(group, wish)):
            yield _on_the_page(text)


def _tables(planned: RequestPlan, letter_url: Callable[..., str]) -> Iterator[Table]:
    yield _receivers(planned)
    yield Table(
        caption=_("Not in this service: letters stay for them, unless workers of another service have them"),
        columns=[_("Receiver"), _("Letters")],
        rows=[(shown(name), number) for name, number in planned.missing.items()],
    )
    yield _reasons(planned)
    yield _left_out(planned, letter_url)


def _receivers(planned: RequestPlan) -> Table:
    return Table(
        caption=_("Receivers that would run"),
        columns=[_("Receiver"), _("Letters")],
        rows=[(shown(name), number) for name, number in planned.receivers.items()],
    )


def _reasons(planned: RequestPlan) -> Table:
    reasons = Counter(one.problem for one in planned.left_out)
    return Table(
        caption=_("What could not run, and is left out"),
        columns=[_("Reason"), _("Letters")],
        rows=[(_on_the_page(reason), number) for reason, number in reasons.most_common(_SHOWN)],
    )


def _left_out(planned: RequestPlan, letter_url: Callable[..., str]) -> Table:
    rows: list[list[Cell]] = [
        [Linked(text=place(one.letter), url=letter_url("letter", one.letter.pk)), shown(one.letter.group)]
        for one in planned.left_out[:_SHOWN]
    ]
    return Table(caption=_("The first of those that are left out"), columns=[_("Record"), _("Group")], rows=rows)


def _on_the_page(problem: str) -> str:
    """Replace the names of the command's options in ``problem`` by the words of the page."""
    text = problem.replace("with --receiver", _("above as the only one")).replace("with --instead-of", _("above"))
    return shown(text)


def _names(planned: RequestPlan) -> list[str]:
    plans = planned.all
    types = {one.letter.event_type for one in plans}
    listening = {name for one in event_types() if one.event_type in types for name in one.receivers}
    return sorted(listening | {name for one in plans for name in one.pending if name})


def _missing(planned: RequestPlan) -> list[str]:
    return sorted({name for one in planned.all for name in one.missing})


def _latest(planned: RequestPlan) -> str:
    return max((one.letter.last_failed_at.isoformat() for one in planned.all), default="")


def _letters(number: int) -> str:
    return ngettext("%(count)s dead letter", "%(count)s dead letters", number) % {"count": f"{number:,}"}
