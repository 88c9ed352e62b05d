"""The overview page. It shows problems with their remedies, and the numbers of sent and received events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from django.contrib.admin.models import LogEntry
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from event_bus_kafka.admin.ages import ago, moment
from event_bus_kafka.admin.overview.findings import findings_of
from event_bus_kafka.admin.overview.history_charts import TIMES, charts_of
from event_bus_kafka.admin.overview.waiting_list import WaitingItem, items_of, link_to_group
from event_bus_kafka.admin.pages import Page, beside
from event_bus_kafka.admin.readiness import readiness
from event_bus_kafka.admin.shapes import Cell, Facts, Linked, Marked, Table
from event_bus_kafka.admin.start_commands import start_relay, start_worker
from event_bus_kafka.assembly.own_tables import own_tables
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import (
    DeadLetter,
    EventBus,
    Heartbeat,
    HistoryRow,
    OutboxRecord,
    ParkedRecord,
    ReplayRequest,
)
from event_bus_kafka.operations.dead_letters.requests import open_states
from event_bus_kafka.operations.neglects import catalogue, reading, waiting
from event_bus_kafka.operations.neglects.catalogue import Neglect
from event_bus_kafka.operations.neglects.in_tables import neglected
from event_bus_kafka.operations.outboxes import named_outboxes
from event_bus_kafka.operations.status.asking import Awaited, ask_all
from event_bus_kafka.operations.workers import WorkerRun, workers

T = TypeVar("T")

_SHOWN = 15
"""Maximum number of entries of Django's history that the page shows."""


class OverviewPage(Page):
    """The overview page. The query parameter ``period`` is a key of :data:`TIMES`; any other value means "hour"."""

    tables = (OutboxRecord, ParkedRecord, DeadLetter, Heartbeat, HistoryRow)

    def show(self, request: HttpRequest) -> HttpResponse:
        name = request.GET.get("period", "")
        chosen = name if name in TIMES else "hour"
        runs = workers()
        outboxes, groups = named_outboxes(runs), settings.subscriptions if settings.heartbeat else {}
        own, asked = own_tables(), {**reading.questions(outboxes, runs), **waiting.questions()}
        answers = ask_all(asked, _beside)
        found, waits = neglected(answers, own), waiting.waiting(answers, groups=groups, runs=runs)
        facts = _facts(runs, found.neglects) if settings.heartbeat else ()
        context = {
            "findings": list(findings_of(self, found.neglects, waits, runs)),
            "waiting": [(one, self._link(one)) for one in items_of(waits, runs)],
            "unserved": waits.unserved,
            "has_heartbeats": bool(settings.heartbeat),
            "silent": [one.server for one in waits.unanswered],
            "facts": Facts(items=[*facts, *self._open_requests()]),
            "periods": [(name, one.label, name == chosen) for name, one in TIMES.items()],
            "charts": list(charts_of(TIMES[chosen])) if settings.history else [],
            "done": self._done(),
        }
        return self.draw(request, "overview", self.title, context)

    def _link(self, item: WaitingItem) -> Linked:
        page = self.page_of(item.model)
        return page.link if item.group is None else link_to_group(page, item.group)

    def _open_requests(self) -> Iterator[tuple[str, Cell]]:
        """
        Yield a link to the replay requests, with the number of open requests in each state. Yield nothing if no request
        is open, or if the tables of replay requests are missing.
        """
        page = self.page_of(ReplayRequest)
        if page.is_migrated() and (found := open_states()):
            text = ", ".join(f"{number} {state}" for state, number in found.items())
            yield page.title, Linked(text=text, url=page.url())

    def _done(self) -> Table:
        """Return a table of the latest actions that users took on these pages, from Django's history."""
        pages = [model._meta.model_name for model, page in self.admin_site._registry.items() if isinstance(page, Page)]
        entries = LogEntry.objects.filter(
            content_type__app_label=EventBus._meta.app_label, content_type__model__in=pages
        ).select_related("user")
        rows: list[list[Cell]] = [
            [moment(one.action_time), one.user.get_username(), one.object_repr, one.change_message]
            for one in entries.order_by("-action_time")[:_SHOWN]
        ]
        return Table(
            caption=gettext("Done by hand"),
            columns=[gettext("Time"), gettext("User"), gettext("Page"), gettext("Action")],
            rows=rows,
            empty=gettext("Nothing was done here by hand yet."),
            shows_caption=False,
        )


def _beside(server: str, look: Callable[[], T], /) -> Awaited[T]:
    return beside(server.removeprefix("database "))(server, look)


def _alive(runs: list[WorkerRun]) -> list[WorkerRun]:
    return [run for run in runs if run.is_alive]


def _facts(runs: list[WorkerRun], neglects: Sequence[Neglect]) -> list[tuple[str, Cell]]:
    """
    Return facts about the workers and relays that run: how many are ready, how many topics are held, and how old the
    latest heartbeat is.
    """
    alive = _alive(runs)
    items: list[tuple[str, Cell]] = []
    for kind, label in (("consumer", gettext("Workers")), ("relay", gettext("Relays"))):
        several = [run for run in alive if run.kind == kind]
        items.append((label, readiness(several) if several else _nobody(kind, neglects)))
    if alive:
        of_relays = all(run.kind == "relay" for run in alive)
        label = gettext("Last heartbeat of a relay") if of_relays else gettext("Last heartbeat")
        items.append((label, ago(min(run.silence for run in alive))))
    return items


def _nobody(kind: str, neglects: Sequence[Neglect]) -> Marked:
    """
    Return a text that says that no worker, or no relay, runs. Its mark is bad if a neglect says that one is needed.
    """
    missed = catalogue.GROUP_WITHOUT_WORKER if kind == "consumer" else catalogue.OUTBOX_WAITS
    mark = "bad" if any(one.kind is missed for one in neglects) else "idle"
    return Marked(text=gettext("None runs."), note=start_relay() if kind == "relay" else start_worker(), mark=mark)
