"""
Actions: a page shows the plan and asks for confirmation; then the action is done, reported, and written to Django's
history.
"""

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
    """Contains no event data."""
    sentences: Sequence[str]
    button: str
    """The action, as a verb."""
    tables: Sequence[Table] = ()
    reason_label: str = ""
    """Asks for a reason, posted as ``reason``, where this is not empty."""
    is_final: bool = False
    """Whether it cannot be undone."""
    is_empty: bool = False
    """Whether there is nothing to do: then no confirmation is asked for, nor accepted."""
    object_id: str = ""
    """The id of the row that the action concerns, for the history; empty: none, or several."""
    back: str = ""
    """The URL of the page to redirect to; empty: the section's first one."""
    fields: Mapping[str, str] = attrs.field(factory=dict)
    """
    Fields that are posted with the confirmation, in addition to the first POST's, so that it applies to exactly the
    plan that was shown.
    """


def confirm_and_apply(page: Page, request: HttpRequest, plan: ActionPlan, apply: Callable[[], str]) -> HttpResponse:
    """
    Ask for confirmation of a POST. Once it is given, call ``apply``, show its result, write it to the history, and
    redirect.

    ``apply`` returns a sentence with the action and the number of rows, without event data. The confirmation repeats
    all fields of the first POST.
    """
    if CONFIRMED not in request.POST or plan.is_empty:
        return ask(page, request, plan)
    done = apply()
    write_history(request, page, done, plan.object_id)
    messages.success(request, done)
    return HttpResponseRedirect(plan.back or page.url())


def ask(page: Page, request: HttpRequest, plan: ActionPlan) -> HttpResponse:
    """Ask for confirmation of a POST, which is repeated with it."""
    repeated = request.POST.keys() - _NOT_REPEATED - plan.fields.keys()
    fields = [(name, text) for name in sorted(repeated) for text in request.POST.getlist(name)]
    fields += plan.fields.items()
    return page.draw(request, "confirm", plan.title, {"plan": plan, "fields": fields, "confirmed": CONFIRMED})


def write_history(request: HttpRequest, page: Page, done: str, object_id: str = "") -> None:
    """
    Write a user's action, or look at unmasked data, to Django's history: the action and the number of rows, without
    event data. ``object_id``: the row's id, if it concerns a single one.
    """
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(page.model),
        object_id=object_id,
        object_repr=page.title[:200],
        action_flag=CHANGE,
        change_message=done,
    )
