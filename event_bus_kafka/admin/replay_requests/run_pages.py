"""The pages on which a user plans and requests a replay of a topic, or a backfill."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import attrs
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _

from event_bus_kafka.admin.actions import CONFIRMED, write_history
from event_bus_kafka.admin.pages import Page, View, outside_transactions
from event_bus_kafka.admin.replay_requests.run_forms import ASKING, RunAsking, RunForm
from event_bus_kafka.admin.shapes import Linked
from event_bus_kafka.models import DeadLetter, ReplayRequest, Right, RunKind
from event_bus_kafka.operations.requested_runs.run_requests import are_possible, request_run
from event_bus_kafka.shown import shown

_CHANGE = "change"
"""
Name of a form field. A POST with this field returns to the form, filled with the choices of the plan, so that the user
can change them.
"""


class RunPages(Page):
    """
    A base class for a page with the forms that request runs. The web process only makes requests; workers call
    receivers and send items.
    """

    def run_paths(self) -> Iterator[URLPattern]:
        """Yield the URL patterns of the forms and of the plans."""
        for name, asking in ASKING.items():
            yield self.page_at(f"{name}/", self._form_of(name, asking), name, Right.REPLAY)
            plan = self.action_at(f"{name}/plan/", self._plan_of(name, asking), f"{name}_plan", Right.REPLAY)
            # A source may raise a database error, which would break a transaction of the request.
            yield outside_transactions(plan)

    def run_links(self, request: HttpRequest) -> list[Linked]:
        """Return the links to the forms for which the user has the rights; no links if tables of runs are missing."""
        allowed = {name: one for name, one in ASKING.items() if one.is_for(request.user)}
        if not (allowed and are_possible()):
            return []
        return [Linked(text=str(one.title), url=self.url(name)) for name, one in allowed.items()]

    def _form_of(self, name: str, asking: RunAsking) -> View:
        def show(request: HttpRequest) -> HttpResponse:
            _refuse_others(request, asking)
            return self._ask(request, name, asking, asking.form())

        return show

    def _plan_of(self, name: str, asking: RunAsking) -> View:
        def plan(request: HttpRequest) -> HttpResponse:
            _refuse_others(request, asking)
            form = asking.form(request.POST)
            if _CHANGE in request.POST:
                return self._ask(request, name, asking, form)
            planned = getattr(_planning(), asking.plan)(form, request.POST) if form.is_valid() else None
            if planned is None or not are_possible():
                return self._ask(request, name, asking, form)
            if CONFIRMED in request.POST and planned.was_shown and not planned.is_empty:
                return self._request_run(request, planned)
            return self._show_plan(request, asking, planned)

        return plan

    def _ask(self, request: HttpRequest, name: str, asking: RunAsking, form: RunForm) -> HttpResponse:
        if not are_possible():
            return self.draw(request, "unusable", self.title, {})
        context = {
            "about": asking.about,
            "lacks_sources": "source" in asking.form.base_fields and _planning().lacks_sources(),
            "form": form,
            "names": _planning().names(),
            "action": self.url(f"{name}_plan"),
            "button": _("Show what it would do"),
        }
        return self.draw(request, "run_form", str(asking.title), context)

    def _show_plan(self, request: HttpRequest, asking: RunAsking, planned: Any) -> HttpResponse:
        posted = {name: request.POST.get(name, "") for name in asking.form.base_fields}
        letters_url = ""
        if planned.wish.kind == RunKind.TOPIC:
            letters_url = self.page_of(DeadLetter).filtered(topic=planned.wish.arguments.topic)
        context = {
            "plan": planned,
            "letters_url": letters_url,
            "fields": (posted | planned.fields).items(),
            "confirmed": CONFIRMED,
            "change": _CHANGE,
        }
        return self.draw(request, "run_plan", str(asking.title), context)

    def _request_run(self, request: HttpRequest, planned: Any) -> HttpResponse:
        wish = attrs.evolve(planned.wish, requested_by=request.user.get_username()[:255])
        with transaction.atomic(using=router.db_for_write(ReplayRequest)):
            made = request_run(wish)
            words = _("Requested replay %(number)s: %(what)s.") % {"number": made.pk, "what": planned.words}
            words += _(" Reason: %(reason)s.") % {"reason": shown(made.reason)} if made.reason else ""
            write_history(request, self, words, str(made.pk))
        messages.success(request, words + _(" Nothing has run yet."))
        return HttpResponseRedirect(self.url("one", made.pk))


def _refuse_others(request: HttpRequest, asking: RunAsking) -> None:
    if not asking.is_for(request.user):
        raise PermissionDenied


def _planning() -> Any:
    return import_module("event_bus_kafka.admin.replay_requests.run_planning")  # the import loads Kafka's client
