"""
Texts of the page on which a user plans a replay: the receivers that would run, and the letters that would be left out,
with the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import attrs
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from event_bus_kafka.admin.actions import CONFIRMED
from event_bus_kafka.admin.dead_letters.meant import UNTIL, Meant
from event_bus_kafka.admin.replay_requests.left_out import (
    left_out_tables,
    left_out_words,
    letters_words,
    on_the_page,
    only_reason,
)
from event_bus_kafka.admin.replay_requests.receiver_names import (
    known_names,
    missing_names,
    refused_words,
    unknown_words,
)
from event_bus_kafka.admin.shapes import Table
from event_bus_kafka.models import ReplayRequest
from event_bus_kafka.operations.dead_letters.paging import COUNTED
from event_bus_kafka.operations.dead_letters.request_plan import STOP_AFTER, RequestPlan, Wish
from event_bus_kafka.operations.dead_letters.requests import obstacle_before
from event_bus_kafka.shown import shown

_NAMES_SHOWN = 5
_PREFIX = "run"
_SHOWN_PREFIX = "shown"
"""Prefix of the form fields with the receivers of the plan that the page shows."""
_NAME_LENGTH = 500


def _named(datalist: str) -> forms.TextInput:
    return forms.TextInput(attrs={"list": f"event-bus-{datalist}"})


class ReceiverForm(forms.Form):
    """The form in which a user selects the receivers that the replay calls."""

    receiver = forms.CharField(
        label=gettext_lazy("Only this receiver (empty: all that have not succeeded yet)"),
        widget=_named("receivers"),
        max_length=_NAME_LENGTH,
        required=False,
    )
    instead_of = forms.CharField(
        label=gettext_lazy("Old name (only if this receiver replaces one that was renamed or removed)"),
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
        label=gettext_lazy("At most this many dead letters per second (empty: as fast as live events allow)"),
        min_value=0.01,
        required=False,
    )
    stop_after = forms.IntegerField(
        label=gettext_lazy("Stop after this many failures in a row"), min_value=1, max_value=1_000_000
    )


@attrs.frozen(kw_only=True)
class Asked:
    """The filled-in form on the page that plans a replay."""

    receivers: ReceiverForm
    wishes: WishForm
    is_valid: bool
    wish: Wish
    """The user's choices. Values from invalid forms are left out."""
    is_confirmed: bool
    """Whether the user has pressed the button that requests the replay."""
    are_receivers_shown: bool
    """Whether the user has seen a plan with the receivers of ``wish``."""

    @property
    def is_changed(self) -> bool:
        """Whether the user has requested a replay with other receivers than those of the plan on the page."""
        return self.is_confirmed and self.receivers.is_valid() and not self.are_receivers_shown

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        """
        Read the form from a POST. The first POST comes from a page of dead letters, and has no values for this form: if
        that page lists the letters of one receiver, the form proposes to call only this receiver.
        """
        posted = request.POST
        filtered = {f"{_PREFIX}-receiver": posted.get("receiver", "")}
        is_first = posted.keys().isdisjoint(_receiver_names())
        receivers = ReceiverForm(filtered if is_first else posted, prefix=_PREFIX)
        has_wishes = not posted.keys().isdisjoint(WishForm.base_fields)
        wishes = WishForm(posted if has_wishes else None, initial={"stop_after": STOP_AFTER})
        values = {
            name: value for form in (receivers, wishes) if form.is_valid() for name, value in form.cleaned_data.items()
        }
        wish = Wish(requested_by=request.user.get_username()[:255], **values)
        return cls(
            receivers=receivers,
            wishes=wishes,
            is_valid=receivers.is_valid() and wishes.is_valid(),
            wish=wish,
            is_confirmed=CONFIRMED in posted,
            are_receivers_shown=all(posted.get(name) == value for name, value in _shown_receivers(wish).items()),
        )


def asking(
    request: HttpRequest,
    meant: Meant,
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
    shown_receivers = _shown_receivers(asked.wish)
    own = {CONFIRMED, "csrfmiddlewaretoken", UNTIL, *asked.wishes.fields, *_receiver_names(), *shown_receivers}
    return {
        "is_changed": asked.is_changed,
        "refused": refused_words(planned, asked.wish) if asked.is_changed else "",
        "sentences": [
            meant.sentence,
            *([_too_much()] if is_too_much else _sentences(planned, asked.wish)),
        ],
        "obstacles": list(_obstacles(planned, asked.wish)),
        "of_receivers": [_receivers(planned), _missing_receivers(planned)],
        "remark": _remark(planned),
        "others": left_out_tables(planned, letter_url),
        "asked": asked,
        "names": {"receivers": known_names(planned), "missing": missing_names(planned)},
        "fields": [
            *((name, text) for name, texts in request.POST.lists() if name not in own for text in texts),
            *shown_receivers.items(),
            (UNTIL, until.isoformat() if until else _latest(planned)),
        ],
        "confirmed": CONFIRMED,
        "button": _("Request the replay of %(letters)s") % {"letters": letters_words(len(planned.requested))},
        "is_empty": not planned.requested,
        "back_url": letter_url(),
    }


def _receiver_names() -> set[str]:
    return {f"{_PREFIX}-{name}" for name in ReceiverForm.base_fields}


def _shown_receivers(wish: Wish) -> dict[str, str]:
    """Return the form fields that repeat the receivers of a plan, so that the next POST shows whether they changed."""
    return {f"{_SHOWN_PREFIX}-{name}": getattr(wish, name) for name in ReceiverForm.base_fields}


def made_words(made: ReplayRequest, letters: int, meant: str) -> str:
    """
    Return the line for the message to the user and for the history: the action, the number of letters, the receivers
    and the reason, without event data.
    """
    names, more = list(map(shown, made.receivers[:_NAMES_SHOWN])), len(made.receivers) - _NAMES_SHOWN
    words = _("Requested replay %(number)s: %(letters)s of group %(group)s (%(meant)s). Receivers: %(receivers)s.") % {
        "number": made.pk,
        "letters": letters_words(letters),
        "group": shown(made.group),
        "meant": meant,
        "receivers": ", ".join([*names, *([f"+{more}"] if more > 0 else [])]),
    }
    return words + (_(" Reason: %(reason)s.") % {"reason": shown(made.reason)} if made.reason else "")


def _sentences(planned: RequestPlan, wish: Wish) -> Iterator[str]:
    reason = only_reason(planned)
    if not planned.requested:
        is_below = planned.left_out and not reason
        yield _("Nothing would run. The reasons are below.") if is_below else _("Nothing would run.")
        if unknown := unknown_words(planned, wish):
            yield unknown
        elif reason:
            yield left_out_words(planned, reason)
        return
    groups = ngettext("group %(groups)s", "groups %(groups)s", len(planned.groups))
    yield _("%(letters)s would be given to receivers again, by workers of %(groups)s.") % {
        "letters": letters_words(len(planned.requested)),
        "groups": groups % {"groups": ", ".join(map(shown, planned.groups))},
    }
    if planned.elsewhere:
        yield _("%(letters)s of these are for a service with other receivers, whose workers say what runs.") % {
            "letters": letters_words(len(planned.elsewhere))
        }
    yield _(
        "Workers do it between the records that they read; live events come first. Receivers run even while they are "
        "paused. A letter whose receivers succeed is deleted, one that fails stays with its new error."
    )
    yield _("Letters that fail again after this page was drawn are not included.")
    if reason:
        yield left_out_words(planned, reason)


def _too_much() -> str:
    return _(
        "More than %(most)s dead letters match, and a request that is made here has no more. Narrow them by filters, "
        "such as receiver, group, or when they failed; or make it by manage.py event_dead_letters replay --request."
    ) % {"most": f"{COUNTED:,}"}


def _obstacles(planned: RequestPlan, wish: Wish) -> Iterator[str]:
    for group in planned.groups:
        if text := obstacle_before(group, planned.topics(group), planned.wanted(group, wish)):
            yield on_the_page(text)


def _receivers(planned: RequestPlan) -> Table:
    return Table(
        caption=_("Receivers that would run"),
        columns=[_("Receiver"), _("Letters")],
        rows=[(shown(name), number) for name, number in planned.receivers.items()],
    )


def _missing_receivers(planned: RequestPlan) -> Table:
    return Table(
        caption=_("Not in this service: letters stay for them, unless workers of another service have them"),
        columns=[_("Receiver"), _("Letters")],
        rows=[(shown(name), number) for name, number in planned.missing.items()],
    )


def _remark(planned: RequestPlan) -> str:
    """Return a sentence that explains why the numbers by receiver add up to more than the number of letters."""
    letters = len(planned.requested)
    if sum(planned.receivers.values()) + sum(planned.missing.values()) <= letters:
        return ""
    return _("A dead letter can have several receivers, so these numbers add up to more than %(letters)s.") % {
        "letters": letters_words(letters)
    }


def _latest(planned: RequestPlan) -> str:
    return max((one.letter.last_failed_at.isoformat() for one in planned.all), default="")
