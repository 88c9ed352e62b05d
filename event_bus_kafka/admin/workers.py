"""
The page of workers, relays and consumer groups, with their progress and obstacles. Users pause and resume receivers
here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.actions import ActionPlan, confirm_and_apply
from event_bus_kafka.admin.ages import age, ago, moment
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.shapes import Cell, Linked, Marked, Posting, Table
from event_bus_kafka.models import Heartbeat, PausedReceiver, Right
from event_bus_kafka.operations.groups import GroupView, ReceiverView, groups, receivers
from event_bus_kafka.operations.pauses import PausePlan, paused_receivers, plan_pause, plan_resume
from event_bus_kafka.operations.workers import WorkerRun, workers
from event_bus_kafka.shown import shown


class WorkersPage(Page):
    """
    Shows all workers and relays whose heartbeat is less than a day old. A page below this one shows a single consumer
    group.
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
            "groups": self._groups(groups(runs)),
            "workers": _workers([run for run in runs if run.kind == "consumer"]),
            "relays": _relays([run for run in runs if run.kind == "relay"]),
            "receivers": self._receivers(receivers(runs, paused_receivers()), may_operate),
            "slow": _slow(runs),
        }
        return self.draw(request, "workers", self.title, context)

    def group(self, request: HttpRequest, group: str) -> HttpResponse:
        """Show the partitions and offsets of a consumer group."""
        found = next((one for one in groups(workers()) if one.group == group), None)
        if found is None:
            raise Http404
        context = {
            "obstacles": list(map(shown, found.obstacles)),
            "workers": _workers(found.runs),
            "partitions": _partitions(found),
            "slow": _slow(found.runs),
            "reset": f"manage.py event_offsets reset -g {group}",
        }
        return self.draw(request, "group", gettext("Group %(group)s") % {"group": shown(group)}, context)

    def pause(self, request: HttpRequest) -> HttpResponse:
        """Pause a receiver. Its events become dead letters until the receiver is resumed. Other receivers continue."""
        return self._change(request, plan_pause(request.POST.get("receiver", "")))

    def resume(self, request: HttpRequest) -> HttpResponse:
        """End the pause of a receiver."""
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
            reason_label=gettext("Why, for whoever looks (nothing of an event):") if found.pauses else "",
        )
        return confirm_and_apply(self, request, plan, apply)

    def _groups(self, several: Sequence[GroupView]) -> Table:
        rows: list[list[Cell]] = [
            [
                Linked(text=shown(one.group), url=self.url("group", one.group)),
                Marked(text=str(len(one.runs)), mark="good" if one.runs else "bad"),
                charts.count(len(list(one.partitions))),
                "–" if one.lag is None else charts.count(one.lag),
                "–" if one.lag_age is None else age(one.lag_age),
                "; ".join(map(shown, one.obstacles)) or "–",
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
            [shown(one.name), ", ".join(one.event_types) or "–", _state_of(one), _pause_of(one)]
            + ([self._posting(one)] if may_operate else [])
            for one in several
        ]
        columns = [gettext("Receiver"), gettext("Events"), gettext("State"), gettext("Paused because")]
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
    return Marked(text=gettext("receives"), mark="good")


def _pause_of(receiver: ReceiverView) -> str:
    return shown(receiver.pause.said_reason) or "–" if receiver.pause else "–"


def _workers(runs: Sequence[WorkerRun]) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{run.host}:{run.pid}",
            _liveness(run),
            shown(run.group),
            charts.count(len(run.state["partitions"])),
            _lag(run),
            charts.count(run.state["in_flight"]),
            charts.count(run.state["held_keys"]),
            f"{run.state['lanes_awake']}/{run.state['lanes']}",
            ago(run.silence),
            moment(run.started),
            run.version,
        ]
        for run in runs
    ]
    return Table(
        caption=gettext("Workers"),
        columns=[
            gettext("Worker"),
            gettext("State"),
            gettext("Group"),
            gettext("Partitions"),
            gettext("Lag"),
            gettext("In flight"),
            gettext("Held keys"),
            gettext("Lanes awake"),
            gettext("Told"),
            gettext("Started"),
            gettext("Version"),
        ],
        rows=rows,
        empty=gettext("No worker has written a heartbeat within a day."),
    )


def _relays(runs: Sequence[WorkerRun]) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{run.host}:{run.pid}",
            _liveness(run),
            run.state["database"],
            charts.count(sum(run.state["depth"].values())) if "depth" in run.state else "–",
            ", ".join(shown(one["topic"]) for one in run.state.get("held_topics", ())) or "–",
            ago(run.silence),
            moment(run.started),
            run.version,
        ]
        for run in runs
    ]
    return Table(
        caption=gettext("Relays"),
        columns=[
            gettext("Relay"),
            gettext("State"),
            gettext("Database"),
            gettext("Waiting"),
            gettext("Held topics"),
            gettext("Told"),
            gettext("Started"),
            gettext("Version"),
        ],
        rows=rows,
        empty=gettext("No relay has written a heartbeat within a day."),
    )


def _partitions(group: GroupView) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{shown(one['topic'])}:{one['partition']}",
            _number(one["committed"]),
            _number(one["position"]),
            _number(one["end"]),
            "–" if one["lag"] is None else charts.count(one["lag"]),
            "–" if one["lag_age"] is None else age(one["lag_age"]),
            f"{one['window_fill']:.0%}",
            gettext("waits for %(record)s") % {"record": shown(one["full_because"])} if one["full_because"] else "–",
            f"{run.host}:{run.pid}",
        ]
        for run, one in group.partitions
    ]
    return Table(
        caption=gettext("Partitions and offsets"),
        columns=[
            gettext("Partition"),
            gettext("Committed"),
            gettext("Position"),
            gettext("End"),
            gettext("Lag"),
            gettext("Lag's age"),
            gettext("Window"),
            gettext("Why it is full"),
            gettext("Worker"),
        ],
        rows=rows,
        empty=gettext("No partition is assigned to a worker that runs."),
    )


def _slow(runs: Sequence[WorkerRun]) -> Table:
    rows: list[list[Cell]] = [
        [
            shown(one["receiver"]),
            age(one["seconds"]),
            f"{shown(one['topic'])}:{one['partition']}:{one['offset']}",
            f"{run.host}:{run.pid}",
            shown(one["stack"]),
        ]
        for run in runs
        if run.kind == "consumer" and run.is_alive
        for one in run.state["slow_receivers"]
    ]
    return Table(
        caption=gettext("Slow receivers"),
        columns=[
            gettext("Receiver"),
            gettext("Runs for"),
            gettext("Record"),
            gettext("Worker"),
            gettext("Where it is, innermost first"),
        ],
        rows=rows,
    )


def _liveness(run: WorkerRun) -> Marked:
    if run.liveness == "stopped":
        return Marked(text=gettext("stopped"), mark="idle")
    if run.liveness == "dead":
        return Marked(text=gettext("has died"), mark="bad")
    if not run.state["is_alive"]:
        return Marked(text=gettext("hangs"), mark="bad")
    obstacles = "; ".join(map(shown, run.state["obstacles"]))
    return Marked(text=obstacles, mark="bad") if obstacles else Marked(text=gettext("ready"), mark="good")


def _lag(run: WorkerRun) -> str:
    known = [one["lag"] for one in run.state["partitions"] if one["lag"] is not None]
    return charts.count(sum(known)) if known else "–"


def _number(offset: int | None) -> str:
    return "–" if offset is None else str(offset)
