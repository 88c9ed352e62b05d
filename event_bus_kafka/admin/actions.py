"""
Runs the actions that users start on admin pages. A page first shows the action's plan and asks for confirmation. The
confirmed action is written to Django's history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.shapes import Posting, Table

CONFIRMED = "confirmed"
"""Name of the form field that marks a POST as confirmed."""
_NOT_REPEATED = {CONFIRMED, "csrfmiddlewaretoken"}


@attrs.frozen(kw_only=True)
class ActionPlan:
    """The confirmation page of an action, with sentences on the action's effects."""

    title: str
    """The page's title, without event data."""
    sentences: Sequence[str]
    button: str
    """The button's text, a verb."""
    tables: Sequence[Table] = ()
    reason_label: str = ""
    """Label of the text field ``reason`` on the page; empty: the page has no text field."""
    is_final: bool = False
    """Whether the action cannot be undone."""
    is_empty: bool = False
    """Whether the action would change nothing. If True, the page has no button and ignores a confirmation."""
    object_id: str = ""
    """The id of the row that the action changes, for Django's history; empty: the action may change several rows."""
    back: str = ""
    """The URL to which the user is redirected after the action; empty: the page on which the action began."""
    instead: Posting | None = None
    """
    A button for another action. It posts the fields of the POST that started this action. None: there is no such
    button.
    """
    fields: Mapping[str, str] = attrs.field(factory=dict)
    """
    Fields that the confirmation posts in addition to the fields of the POST that started the action. With them, the
    action changes only rows that the plan showed.
    """


def confirm_and_apply(page: Page, request: HttpRequest, plan: ActionPlan, apply: Callable[[], str]) -> HttpResponse:
    """
    Handle a POST that starts or confirms an action. If it does not confirm the action, or the plan is empty, return a
    page that shows the plan and asks for confirmation; the page's form repeats all fields of the POST. Otherwise call
    ``apply``, show its result and write it to Django's history.

    ``apply`` returns a sentence with the action and the number of rows, without event data.
    """
    if CONFIRMED not in request.POST or plan.is_empty:
        return ask(page, request, plan)
    done = apply()
    write_history(request, page, done, plan.object_id)
    messages.success(request, done)
    return HttpResponseRedirect(plan.back or page.url())


def ask(page: Page, request: HttpRequest, plan: ActionPlan) -> HttpResponse:
    """Return the page that asks for confirmation of a POST. The page's form repeats all fields of the POST."""
    repeated = request.POST.keys() - _NOT_REPEATED - plan.fields.keys()
    fields = [(name, text) for name in sorted(repeated) for text in request.POST.getlist(name)]
    fields += plan.fields.items()
    return page.draw(request, "confirm", plan.title, {"plan": plan, "fields": fields, "confirmed": CONFIRMED})


def write_history(request: HttpRequest, page: Page, done: str, object_id: str = "") -> None:
    """
    Write to Django's history that a user has changed something, or has looked at unmasked data. ``done``: a sentence
    that says so, without event data. ``object_id``: the row's id, if only one row is concerned.
    """
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(page.model),
        object_id=object_id,
        object_repr=page.title[:200],
        action_flag=CHANGE,
        change_message=done,
    )
