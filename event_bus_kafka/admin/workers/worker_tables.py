"""The tables of groups, workers and relays, from heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age, ago, moment, unbroken
from event_bus_kafka.admin.shapes import Cell, Linked, Marked, Table, lines
from event_bus_kafka.admin.start_commands import no_heartbeats, start_relay
from event_bus_kafka.admin.workers.slow_calls import SLOW_PART
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.operations.groups import GroupView
from event_bus_kafka.operations.neglects.catalogue import HELD_AFTER
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.shown import shown
from event_bus_kafka.telemetry.health import Obstacle


def groups_table(
    several: Sequence[GroupView],
    pauses: Sequence[PausedReceiver],
    neglected: Collection[str],
    url_of: Callable[[str], str],
) -> Table:
    """
    Return the table of groups. ``neglected``: groups that have records to read, and no worker. ``url_of``: returns the
    URL of a group's page. The column about pauses is left out if no receiver is paused.
    """
    about_pauses = [gettext("Paused")] if pauses else []
    return Table(
        caption=gettext("Groups"),
        columns=[
            gettext("Group"),
            gettext("Workers"),
            gettext("Partitions"),
            gettext("Lag"),
            gettext("Oldest unfinished"),
            gettext("Held up by"),
            *about_pauses,
        ],
        rows=[
            [
                Linked(text=shown(one.group), url=url_of(one.group)),
                state_of_group(one, is_neglected=one.group in neglected),
                charts.count(len(list(one.partitions))) if one.runs else "–",
                lag_of_group(one),
                "–" if one.lag_age is None else unbroken(age(one.lag_age)),
                lines(_held_up_by(one)),
                *([_paused(len(one.pauses(pauses)))] if about_pauses else []),
            ]
            for one in several
        ],
        empty=_no_heartbeat(gettext("No worker has written a heartbeat within a day.")),
    )


def state_of_group(group: GroupView, *, is_neglected: bool) -> Marked:
    """
    Return the state of a group's running workers. The mark is the mark of the worst of them. ``is_neglected``: whether
    the group has records to read, and no worker.
    """
    if not group.runs:
        if not settings.heartbeat:
            return Marked(text=no_heartbeats(), mark="idle")
        if is_neglected:
            return Marked(text=gettext("no worker runs, and records wait"), mark="bad")
        return Marked(text=gettext("no worker runs"), mark="idle")
    count, faulty = len(group.runs), sum(_liveness(run).mark != "good" for run in group.runs)
    if faulty:
        return Marked(text=gettext("%(faulty)d of %(all)d not ready") % {"faulty": faulty, "all": count}, mark="bad")
    return Marked(text=gettext("%(count)d ready") % {"count": count}, mark="good")


def lag_of_group(group: GroupView) -> str:
    """Return the number of unfinished records of a group, or why it is not known."""
    if group.lag is not None:
        return charts.count(group.lag)
    if not group.runs:
        return gettext("not known without a worker")
    return gettext("nothing read yet")


def _held_up_by(group: GroupView) -> Iterator[str | Linked]:
    """
    Yield the obstacles that keep the group from its events. Before them, yield the command that starts a worker if none
    runs and workers write heartbeats. An obstacle about a slow receiver is a link to the part of the page that says
    where the receiver is in the code.
    """
    if not group.runs and settings.heartbeat:
        yield gettext("start a worker:")
        yield group.start_command
    has_slow = any(run.state["slow_receivers"] for run in group.runs)
    for text in group.obstacles:
        is_slow = has_slow and text.startswith(Obstacle.SLOW.value)
        yield Linked(text=shown(text), url=SLOW_PART) if is_slow else shown(text)


def _paused(count: int) -> str:
    text = ngettext("%(count)d receiver", "%(count)d receivers", count)
    return unbroken(text % {"count": count}) if count else "–"


def workers_table(runs: Sequence[WorkerRun], start: str = "") -> Table:
    """Return the table of workers. ``start``: a sentence that an empty table shows, with the command for a worker."""
    rows: list[list[Cell]] = [
        [
            f"{run.host}:{run.pid}",
            _liveness(run),
            shown(run.group),
            charts.count(len(run.state["partitions"])),
            _lag(run),
            charts.count(run.state["in_flight"]),
            charts.count(run.state["held_keys"]),
            gettext("up to %(awake)d of %(all)d") % {"awake": run.state["lanes_awake"], "all": run.state["lanes"]},
            unbroken(ago(run.silence)),
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
            gettext("Keys held back"),
            gettext("Parallel calls"),
            gettext("Last heartbeat"),
            gettext("Started"),
            gettext("Version"),
        ],
        rows=rows,
        empty=_no_heartbeat(f"{gettext('No worker has written a heartbeat within a day.')} {start}".rstrip()),
    )


def relays_table(runs: Sequence[WorkerRun]) -> Table:
    """Return the table of relays. If all relays have the default database, the table does not name it."""
    databases = [run.state.get("database", "–") for run in runs]
    names_databases = not {*databases} <= {DEFAULT_DB_ALIAS, "–"}
    return Table(
        caption=gettext("Relays"),
        columns=[
            gettext("Relay"),
            gettext("State"),
            *([gettext("Database")] if names_databases else []),
            gettext("Waiting"),
            gettext("Held topics"),
            gettext("Last heartbeat"),
            gettext("Started"),
            gettext("Version"),
        ],
        rows=[
            [
                f"{run.host}:{run.pid}",
                _liveness(run),
                *([database] if names_databases else []),
                charts.count(sum(run.state["depth"].values())) if "depth" in run.state else gettext("not counted"),
                lines(_held(one) for one in run.state.get("held_topics", ())),
                unbroken(ago(run.silence)),
                moment(run.started),
                run.version,
            ]
            for run, database in zip(runs, databases, strict=True)
        ],
        empty=_no_heartbeat(f"{gettext('No relay has written a heartbeat within a day.')} {start_relay()}"),
    )


def _held(topic: Mapping[str, Any]) -> str:
    about = {"topic": shown(topic["topic"]), "age": unbroken(age(topic["seconds"]))}
    return gettext("%(topic)s, for %(age)s") % about


def _no_heartbeat(sentence: str) -> str:
    """Return ``sentence`` if workers and relays write heartbeats, else the reason why nothing is known of them."""
    return sentence if settings.heartbeat else capfirst(f"{no_heartbeats()}.")


def _liveness(run: WorkerRun) -> Marked:
    if run.liveness == "stopped":
        return Marked(text=gettext("stopped"), mark="idle")
    if run.liveness == "dead":
        return Marked(text=gettext("has died"), mark="bad")
    if not run.state.get("is_alive", True):
        return Marked(text=gettext("hangs"), mark="bad")
    if obstacles := "; ".join(map(shown, run.state.get("obstacles", ()))):
        return Marked(text=obstacles, mark="bad", url=SLOW_PART if run.state.get("slow_receivers") else "")
    if held := run.state.get("held_topics", ()):
        text = ngettext("ready, holds %(count)d topic", "ready, holds %(count)d topics", len(held))
        is_neglected = max(one["seconds"] for one in held) > HELD_AFTER.total_seconds()
        return Marked(text=text % {"count": len(held)}, mark="bad" if is_neglected else "idle")
    return Marked(text=gettext("ready"), mark="good")


def _lag(run: WorkerRun) -> str:
    known = [one["lag"] for one in run.state["partitions"] if one["lag"] is not None]
    return charts.count(sum(known)) if known else gettext("nothing read yet")
