"""The tables of a group's partitions, with their offsets, from heartbeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from django.utils.translation import gettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age, unbroken
from event_bus_kafka.admin.shapes import Cell, Table
from event_bus_kafka.operations.groups import GroupView
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.shown import shown

_MOST_WITHOUT_LAG = 8
"""If more partitions than this have no lag, a second table shows them."""
_Partition = tuple[WorkerRun, dict[str, Any]]


def partitions_tables(group: GroupView) -> tuple[Table, Table | None]:
    """
    Return one or two tables of the group's partitions; None stands for a missing second table. If many partitions have
    no lag, these are in the second table, and not in the first. The partitions with the largest lag come first.
    """
    several = sorted(group.partitions, key=lambda pair: -(pair[1]["lag"] or 0))
    without = [pair for pair in several if _is_finished(pair[1])]
    if len(without) <= _MOST_WITHOUT_LAG:
        return _table(group, several, gettext("No partition is assigned to a worker that runs.")), None
    lagging = [pair for pair in several if not _is_finished(pair[1])]
    others = _table(group, without)
    return _table(group, lagging, gettext("No partition lags.")), attrs.evolve(
        others, caption=gettext("Partitions without lag")
    )


def _is_finished(one: Mapping[str, Any]) -> bool:
    """Return whether a partition is known to have no records to finish."""
    return one["lag"] == 0 or (one["lag"] is None and one["end"] == 0)


def _table(group: GroupView, several: Sequence[_Partition], empty: str = "") -> Table:
    """Return a table of partitions. If no window of the group is full, the table has no column about windows."""
    about_window = [gettext("Window is full")] if group.has_full_window else []
    return Table(
        caption=gettext("Partitions and offsets"),
        columns=[
            gettext("Partition"),
            gettext("Committed"),
            gettext("Finished up to"),
            gettext("End"),
            gettext("Lag"),
            gettext("Oldest unfinished"),
            *about_window,
            gettext("Worker"),
        ],
        rows=[_row(run, one, has_full=group.has_full_window) for run, one in several],
        empty=empty,
    )


def _row(run: WorkerRun, one: Mapping[str, Any], *, has_full: bool) -> list[Cell]:
    return [
        f"{shown(one['topic'])}:{one['partition']}",
        _number(one["committed"]),
        _number(one["position"]),
        _number(one["end"]),
        _lag(one),
        "–" if one["lag_age"] is None else unbroken(age(one["lag_age"])),
        *([_window(one)] if has_full else []),
        f"{run.host}:{run.pid}",
    ]


def _window(one: Mapping[str, Any]) -> str:
    record = one["full_because"]
    return gettext("waits for %(record)s") % {"record": shown(record)} if record else f"{one['window_fill']:.0%}"


def _lag(one: Mapping[str, Any]) -> str:
    if one["lag"] is not None:
        return charts.count(one["lag"])
    if one["end"] is None:
        return gettext("end not known yet")
    return gettext("not read yet") if one["end"] else gettext("no records")


def _number(offset: int | None) -> str:
    return "–" if offset is None else str(offset)
