"""Actions: a page says what would happen, and asks; then it is done, told, and written to Django's history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.shapes import Table

CONFIRMED = "confirmed"
"""Name of the form field by which the confirmation page repeats a POST."""
_NOT_REPEATED = {CONFIRMED, "csrfmiddlewaretoken"}


@attrs.frozen(kw_only=True)
class ActionPlan:
    """The confirmation page of an action: it says what the action would do."""

    title: str
    """Nothing of an event."""
    sentences: Sequence[str]
    button: str
    """The action, as a verb."""
    tables: Sequence[Table] = ()
    reason_label: str = ""
    """Asks for a reason, posted as ``reason``, where this is not empty."""
    is_final: bool = False
    """It cannot be taken back."""
    is_empty: bool = False
    """There is nothing to do: no confirmation is asked for, and none is taken."""
    object_id: str = ""
    """The id of the row that it is about, for the history; empty: of none, or several."""
    back: str = ""
    """The URL of the page to go back to; empty: the section's first one."""
    fields: Mapping[str, str] = attrs.field(factory=dict)
    """Posted with the confirmation, besides what was posted before: what makes it mean what was shown."""


def confirm_and_apply(page: Page, request: HttpRequest, plan: ActionPlan, apply: Callable[[], str]) -> HttpResponse:
    """
    Ask for confirmation of a POST, or, once that is given, call ``apply``, tell what it returns, write that to the
    history, and go back.

    ``apply`` returns what was done and with how many, and nothing of an event. Everything that was posted is posted
    again with the confirmation.
    """
    if CONFIRMED not in request.POST or plan.is_empty:
        repeated = request.POST.keys() - _NOT_REPEATED - plan.fields.keys()
        fields = [(name, text) for name in sorted(repeated) for text in request.POST.getlist(name)]
        fields += plan.fields.items()
        return page.draw(request, "confirm", plan.title, {"plan": plan, "fields": fields, "confirmed": CONFIRMED})
    done = apply()
    write_history(request, page, done, plan.object_id)
    messages.success(request, done)
    return HttpResponseRedirect(plan.back or page.url())


def write_history(request: HttpRequest, page: Page, done: str, object_id: str = "") -> None:
    """
    Write to Django's history that a user has done, or looked at, something: what and how many, and nothing of an event.
    ``object_id``: the id of a row, of one that was meant.
    """
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(page.model),
        object_id=object_id,
        object_repr=page.title[:200],
        action_flag=CHANGE,
        change_message=done,
    )
