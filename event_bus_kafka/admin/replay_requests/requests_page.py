"""The pages of replay requests: the list, a single request, a form for new requests, and actions on a request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _

from event_bus_kafka.admin.actions import ActionPlan, confirm_and_apply, write_history
from event_bus_kafka.admin.ages import moment
from event_bus_kafka.admin.dead_letters.meant import UNTIL, Meant, moment_of
from event_bus_kafka.admin.pages import View
from event_bus_kafka.admin.replay_requests.asking import Asked, asking, made_words
from event_bus_kafka.admin.replay_requests.progress import listed, reported
from event_bus_kafka.admin.replay_requests.run_pages import RunPages
from event_bus_kafka.admin.replay_requests.steps import STEPS, Step
from event_bus_kafka.models import DeadLetter, Heartbeat, ReplayRequest, RequestedLetter, Right
from event_bus_kafka.operations.dead_letters import requests
from event_bus_kafka.operations.dead_letters.paging import count
from event_bus_kafka.operations.dead_letters.request_plan import RequestPlan, make, plan_request

_SHOWN = 50
"""Maximum number of requests that the list shows."""


class ReplayRequestsPage(RunPages):
    """The pages of replay requests. The list begins with the latest request. The web process never runs receivers."""

    tables = (ReplayRequest, RequestedLetter, DeadLetter, Heartbeat)

    def show(self, request: HttpRequest) -> HttpResponse:
        context = {
            "requests": listed(requests.reports(_SHOWN), self.url),
            "letters_url": self.page_of(DeadLetter).url(),
            "run_links": self.run_links(request),
            "now": moment(datetime.now(UTC)),
        }
        return self.draw(request, "replay_requests", self.title, context)

    def below(self) -> Iterator[URLPattern]:
        yield from self.run_paths()
        yield self.action_at("request/", self._request, "request", Right.REPLAY)
        yield self.page_at("<int:number>/", self._one, "one")
        for name, step in STEPS.items():
            yield self.action_at(f"<int:number>/{name}/", self._taking(step), name, Right.REPLAY)

    def _one(self, request: HttpRequest, number: int) -> HttpResponse:
        found = requests.report_of(number) if number < 1 << 63 else None
        if found is None:
            raise Http404(_("There is no such replay request: it is deleted some time after its end."))
        letter_url = self.page_of(DeadLetter).url
        context = reported(found, self.url, letter_url, may_replay=Right.REPLAY.is_given_to(request.user))
        return self.draw(request, "replay_request", _title(number), context)

    def _request(self, request: HttpRequest) -> HttpResponse:
        meant, asked = Meant.of(request), Asked.of(request)
        if meant is None:
            messages.warning(request, _("Nothing was requested: tick dead letters first."))
            return HttpResponseRedirect(self.page_of(DeadLetter).url())
        is_seen = asked.is_confirmed and asked.are_receivers_shown
        until = moment_of(request.POST.get(UNTIL, "")) if is_seen else None
        selection = meant.until(until)
        planned = None if count(selection).is_more else plan_request(selection, asked.wish)
        if until and asked.is_valid and planned and planned.requested:
            return self._make(request, meant, asked, planned)
        context = asking(request, meant, asked, planned, until=until, letter_url=self.page_of(DeadLetter).url)
        return self.draw(request, "replay_plan", _("Replay dead letters"), context)

    def _make(self, request: HttpRequest, meant: Meant, asked: Asked, planned: RequestPlan) -> HttpResponse:
        made = make(planned, asked.wish)
        for one in made:
            letters = sum(letter.letter.group == one.group for letter in planned.requested)
            words = made_words(one, letters, meant.words)
            write_history(request, self, words, str(one.pk))
            messages.success(request, words + _(" Nothing has run yet."))
        return HttpResponseRedirect(self.url("one", made[0].pk) if len(made) == 1 else self.url())

    def _taking(self, step: Step) -> View:
        def take(request: HttpRequest, number: int) -> HttpResponse:
            problem = requests.obstacle_to(step.change, number) if number < 1 << 63 else _("There is none.")
            user = request.user.get_username()
            plan = ActionPlan(
                title=f"{step.label}: {_title(number)}",
                sentences=[problem or step.change.plan],
                button=str(step.label),
                is_final=step.is_final,
                is_empty=bool(problem),
                object_id=str(number),
                back=self.url("one", number),
            )
            return confirm_and_apply(self, request, plan, lambda: step.take(number, user))

        return take


def _title(number: int) -> str:
    return _("Replay request %(number)s") % {"number": number}
