"""The pages of dead letters: the list, a single letter, and the discard."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _

from event_bus_kafka.admin.actions import CONFIRMED, write_history
from event_bus_kafka.admin.dead_letters.detail import detail
from event_bus_kafka.admin.dead_letters.discard_plan import action_plan, done_words
from event_bus_kafka.admin.dead_letters.filters import ALL_SETTLED, Filters
from event_bus_kafka.admin.dead_letters.in_replays import drawn
from event_bus_kafka.admin.dead_letters.listing import listing, place
from event_bus_kafka.admin.dead_letters.meant import TICKED, UNTIL, Meant, moment_of
from event_bus_kafka.admin.pages import Page, outside_transactions
from event_bus_kafka.admin.shapes import Posting
from event_bus_kafka.models import DeadLetter, HistoryRow, ReplayRequest, Right
from event_bus_kafka.operations.dead_letters import discarding
from event_bus_kafka.operations.dead_letters.discarding import Discarded
from event_bus_kafka.operations.requested_runs.open_replays import OpenReplay, open_replays_of

_SECONDS = 10.0
"""
One HTTP request deletes letters for about this number of seconds. If letters remain, the next page shows their number.
"""
_NOT_REPEATED = {CONFIRMED, "csrfmiddlewaretoken", UNTIL}


class DeadLettersPage(Page):
    """Dead letters of this service. The list has buttons that replay or discard several letters."""

    tables = (DeadLetter,)

    def show(self, request: HttpRequest) -> HttpResponse:
        return self._list(request)

    def below(self) -> Iterator[URLPattern]:
        yield self.action_at("search/", self._list, "search", Right.VIEW)
        yield outside_transactions(self.action_at("discard/", self._discard, "discard", Right.DISCARD))
        yield self.page_at("<int:number>/", self._letter, "letter")
        yield self.action_at("<int:number>/unmasked/", self._unmasked, "unmasked", Right.UNMASK)

    def _list(self, request: HttpRequest) -> HttpResponse:
        context = listing(request, Filters.of(request), self.url)
        context["replays"] = self._drawn_replays([letter["id"] for letter in context.get("letters", ())])
        return self.draw(request, "dead_letters", self.title, context | self._rights(request))

    def _letter(self, request: HttpRequest, number: int) -> HttpResponse:
        try:
            return self._draw_letter(request, self._found(number), unmasked=False)
        except Http404 as gone:
            context = {"gone": str(gone), "settled_url": f"{self.url()}?state={ALL_SETTLED}"}
            answer = self.draw(request, "letter_gone", _("Dead letter number %(number)s") % {"number": number}, context)
            answer.status_code = 404
            return answer

    def _unmasked(self, request: HttpRequest, number: int) -> HttpResponse:
        letter = self._found(number)
        write_history(request, self, _("Looked at its data unmasked."), str(letter.pk))
        return self._draw_letter(request, letter, unmasked=True)

    def _discard(self, request: HttpRequest) -> HttpResponse:
        meant = Meant.of(request)
        if meant is None:
            messages.warning(request, _("Nothing was discarded: tick dead letters first."))
            return HttpResponseRedirect(self.url())
        until = moment_of(request.POST.get(UNTIL, ""))
        if CONFIRMED not in request.POST or until is None:
            return self._ask(request, meant)
        done = discarding.discard(meant.until(until), seconds=_SECONDS)
        words = done_words(done, meant)
        write_history(request, self, words, self._one_id(meant))
        if done.left.number and not done.problem:
            return self._ask(request, meant, until=until, before=done)
        messages.add_message(request, messages.ERROR if done.problem else messages.SUCCESS, words)
        return HttpResponseRedirect(self.url())

    def _ask(
        self, request: HttpRequest, meant: Meant, until: datetime | None = None, before: Discarded | None = None
    ) -> HttpResponse:
        """
        Ask for confirmation of a discard, and show how many letters would be deleted. ``until``: the time in the field
        :data:`UNTIL`; None: no plan was shown before. ``before``: the result of the previous HTTP request, if that
        request had not enough time for all letters; otherwise None.
        """
        plan = discarding.plan(meant.until(until))
        if plan.until is None:
            messages.warning(request, _("There is no such dead letter any more."))
            return HttpResponseRedirect(self.url())
        rights = self._rights(request)
        replay_url = rights["replay_url"] if rights["may_replay"] else ""
        asked = action_plan(plan, meant, self._replays(plan.ids), before=before, replay_url=replay_url)
        posted = [(name, text) for name, texts in request.POST.lists() if name not in _NOT_REPEATED for text in texts]
        fields = [*posted, (UNTIL, (until or plan.until).isoformat())]
        return self.draw(request, "confirm", asked.title, {"plan": asked, "fields": fields, "confirmed": CONFIRMED})

    def _draw_letter(self, request: HttpRequest, letter: DeadLetter, *, unmasked: bool) -> HttpResponse:
        number = letter.pk
        context = detail(letter, unmasked=unmasked) | self._rights(request)
        context["replays"] = self._drawn_replays([number])
        context["unmask_url"] = self.url("unmasked", number)
        context["masked_url"] = self.url("letter", number)
        meant = {"scope": TICKED, "id": str(number)}
        context["discard"] = Posting(label=_("Discard …"), action=self.url("discard"), fields=meant, is_final=True)
        context["replay"] = Posting(label=_("Replay …"), action=context["replay_url"], fields=meant)
        if letter.event_id:
            where, asked = self.page_of(HistoryRow).url("where"), {"event_id": letter.event_id}
            context["where"] = Posting(label=_("Where is this event?"), action=where, fields=asked)
        return self.draw(request, "dead_letter", _("Dead letter %(record)s") % {"record": place(letter)}, context)

    def _drawn_replays(self, letters: Collection[int]) -> list[dict[str, Any]]:
        return drawn(self._replays(letters), self.page_of(ReplayRequest).url)

    def _replays(self, letters: Collection[int]) -> list[OpenReplay]:
        """Return the open replay requests of letters. Without the tables of requests, there are none."""
        return open_replays_of(letters) if self.page_of(ReplayRequest).is_migrated() else []

    def _found(self, number: int) -> DeadLetter:
        letter = DeadLetter.objects.with_marks().filter(pk=number).first() if number < 1 << 63 else None
        if letter is None:
            raise Http404(_("There is no such dead letter: it was replayed, discarded, or deleted for its age."))
        return letter

    def _rights(self, request: HttpRequest) -> dict[str, Any]:
        replays = self.page_of(ReplayRequest)
        return {
            "may_discard": Right.DISCARD.is_given_to(request.user),
            "may_unmask": Right.UNMASK.is_given_to(request.user),
            "may_replay": Right.REPLAY.is_given_to(request.user) and replays.is_migrated(),
            "replay_url": replays.url("request"),
        }

    def _one_id(self, meant: Meant) -> str:
        ids = meant.selection.ids
        return str(ids[0]) if len(ids) == 1 else ""
