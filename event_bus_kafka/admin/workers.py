"""
The page of workers, relays and consumer groups, with their progress and obstacles. Users pause and resume receivers
here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.actions import ActionPlan, confirm_and_apply
from event_bus_kafka.admin.ages import age, moment
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.shapes import Cell, Linked, Marked, Posting, Table, lines
from event_bus_kafka.admin.worker_tables import partitions_table, relays_table, slow_table, workers_table
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import Heartbeat, PausedReceiver, Right
from event_bus_kafka.operations.groups import GroupView, ReceiverView, groups, receivers
from event_bus_kafka.operations.pauses import PausePlan, paused_receivers, plan_pause, plan_resume
from event_bus_kafka.operations.workers import worker_command, workers
from event_bus_kafka.shown import shown


class WorkersPage(Page):
    """
    Shows all workers and relays in the table of heartbeats, which keeps rows for about a day. A page below this one
    shows a single consumer group.
    """

    tables = (Heartbeat, PausedReceiver)

    def below(self) -> Iterator[URLPattern]:
        yield self.page_at("groups/<path:group>/", self.group, "group")
        yield self.action_at("pause/", self.pause, "pause", Right.OPERATE)
        yield self.action_at("resume/", self.resume, "resume", Right.OPERATE)

    def show(self, request: HttpRequest) -> HttpResponse:
        runs = workers()
        may_operate = Right.OPERATE.is_given_to(request.user)
        context = {
            "groups": self._groups(groups(runs, settings.subscriptions)),
            "workers": workers_table([run for run in runs if run.kind == "consumer"]),
            "relays": relays_table([run for run in runs if run.kind == "relay"]),
            "receivers": self._receivers(receivers(runs, paused_receivers()), may_operate),
            "slow": slow_table(runs),
        }
        return self.draw(request, "workers", self.title, context)

    def group(self, request: HttpRequest, group: str) -> HttpResponse:
        """Show the partitions and offsets of a consumer group."""
        found = next((one for one in groups(workers(), settings.subscriptions) if one.group == group), None)
        if found is None:
            raise Http404
        context = {
            "obstacles": list(map(shown, found.obstacles)),
            "workers": workers_table(found.runs, worker_command(group)),
            "partitions": partitions_table(found),
            "slow": slow_table(found.runs),
            "start": "" if found.runs else worker_command(group),
            "lag": f"manage.py event_offsets show -g {quote(group)}",
            "reset": f"manage.py event_offsets reset -g {quote(group)}",
        }
        return self.draw(request, "group", gettext("Group %(group)s") % {"group": shown(group)}, context)

    def pause(self, request: HttpRequest) -> HttpResponse:
        """
        Ask for confirmation; once it is given, pause a receiver: until it is resumed, its events become dead letters.
        Other receivers continue.
        """
        return self._change(request, plan_pause(request.POST.get("receiver", "")))

    def resume(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation; once it is given, end the pause of a receiver."""
        return self._change(request, plan_resume(request.POST.get("receiver", "")))

    def _change(self, request: HttpRequest, found: PausePlan | None) -> HttpResponse:
        if found is None:
            raise Http404
        reason = request.POST.get("reason", "").strip()

        def apply() -> str:
            done, about = found.apply(reason), {"receiver": found.receiver, "reason": reason}
            if not found.pauses:
                return gettext("Resumed %(receiver)s.") % about + f" {done}"
            return (gettext("Paused %(receiver)s: %(reason)s.") if reason else gettext("Paused %(receiver)s.")) % about

        nothing = gettext("Somebody has done it already: nothing is to be done.")
        plan = ActionPlan(
            title=gettext("Pause a receiver") if found.pauses else gettext("Resume a receiver"),
            sentences=[found.sentence or nothing],
            button=gettext("Pause") if found.pauses else gettext("Resume"),
            is_empty=not found.sentence,
            reason_label=gettext("Reason (shown to other operators; no personal data):") if found.pauses else "",
        )
        return confirm_and_apply(self, request, plan, apply)

    def _groups(self, several: Sequence[GroupView]) -> Table:
        rows: list[list[Cell]] = [
            [
                Linked(text=shown(one.group), url=self.url("group", one.group)),
                Marked(text=str(len(one.runs)), mark="good")
                if one.runs
                else Marked(text=gettext("no worker runs"), mark="bad"),
                charts.count(len(list(one.partitions))),
                "–" if one.lag is None else charts.count(one.lag),
                "–" if one.lag_age is None else age(one.lag_age),
                lines(map(shown, one.obstacles)),
            ]
            for one in several
        ]
        return Table(
            caption=gettext("Groups"),
            columns=[
                gettext("Group"),
                gettext("Workers"),
                gettext("Partitions"),
                gettext("Lag"),
                gettext("Lag's age"),
                gettext("What keeps it"),
            ],
            rows=rows,
            empty=gettext("No worker has written a heartbeat within a day."),
        )

    def _receivers(self, several: Sequence[ReceiverView], may_operate: bool) -> Table:
        rows = [
            [shown(one.name), lines(one.event_types), _state_of(one), _pause_of(one)]
            + ([self._posting(one)] if may_operate else [])
            for one in several
        ]
        columns = [gettext("Receiver"), gettext("Events"), gettext("State"), gettext("Reason of the pause")]
        return Table(
            caption=gettext("Receivers of this service"),
            columns=columns + ([gettext("Change")] if may_operate else []),
            rows=rows,
            empty=gettext("No receiver listens to an event here."),
        )

    def _posting(self, receiver: ReceiverView) -> Cell:
        name = "resume" if receiver.pause else "pause"
        label = gettext("Resume") if receiver.pause else gettext("Pause")
        fields = {"receiver": receiver.name}
        return Posting(label=label, about=receiver.name, action=self.url(name), fields=fields)


def _state_of(receiver: ReceiverView) -> Cell:
    if receiver.pause:
        return Marked(text=gettext("paused since %(time)s") % {"time": moment(receiver.pause.paused_at)}, mark="bad")
    if receiver.has_open_circuit:
        return Marked(text=gettext("circuit open: its events are held"), mark="bad")
    if receiver.is_slow:
        return Marked(text=gettext("slow"), mark="bad")
    if not receiver.has_worker:
        return Marked(text=gettext("no worker runs"), mark="bad") if settings.heartbeat else gettext("not known")
    return Marked(text=gettext("receives"), mark="good")


def _pause_of(receiver: ReceiverView) -> str:
    return shown(receiver.pause.said_reason) or "–" if receiver.pause else "–"
