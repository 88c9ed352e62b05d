"""The tables of the page of workers: workers, relays, partitions and slow receivers, from heartbeats."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age, ago, moment
from event_bus_kafka.admin.shapes import Cell, Marked, Table, lines
from event_bus_kafka.admin.start_commands import START_WORKER, start_relay
from event_bus_kafka.operations.groups import GroupView
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.shown import shown


def workers_table(runs: Sequence[WorkerRun], start: str = START_WORKER) -> Table:
    """Return the table of workers. ``start``: the command that starts a worker, which an empty table shows."""
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
            gettext("Last heartbeat"),
            gettext("Started"),
            gettext("Version"),
        ],
        rows=rows,
        empty=gettext("No worker has written a heartbeat within a day. Start one: %(command)s") % {"command": start},
    )


def relays_table(runs: Sequence[WorkerRun]) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{run.host}:{run.pid}",
            _liveness(run),
            run.state["database"],
            charts.count(sum(run.state["depth"].values())) if "depth" in run.state else "–",
            lines(shown(one["topic"]) for one in run.state.get("held_topics", ())),
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
            gettext("Last heartbeat"),
            gettext("Started"),
            gettext("Version"),
        ],
        rows=rows,
        empty=gettext("No relay has written a heartbeat within a day. %(start)s") % {"start": start_relay()},
    )


def partitions_table(group: GroupView) -> Table:
    """Return the table of the group's partitions. The partitions with the largest lag come first."""
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
        for run, one in sorted(group.partitions, key=lambda pair: -(pair[1]["lag"] or 0))
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


def slow_table(runs: Sequence[WorkerRun]) -> Table:
    rows: list[list[Cell]] = [
        [
            shown(one["receiver"]),
            age(one["seconds"]),
            f"{shown(one['topic'])}:{one['partition']}:{one['offset']}",
            f"{run.host}:{run.pid}",
            lines(map(shown, one["stack"].split(" < "))),
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
