"""Lists receivers that have run for too long, with the places in the code at which they are, from heartbeats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import attrs
from django.utils.translation import gettext, ngettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age
from event_bus_kafka.admin.shapes import Posting
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.shown import shown

_INNERMOST = 4
"""Number of frames that are shown without a click."""
SLOW_PART = "#slow"
"""Address of the part of a page that lists slow calls. Only pages with slow calls have it."""
_MOST_RECORDS = 20
"""Maximum number of records that are listed for one stack."""

_Call = tuple[WorkerRun, dict[str, Any]]
"""A worker, with a dict that has the fields of ``SlowReceiver``."""


@attrs.frozen(kw_only=True)
class SlowCalls:
    """The slow calls of one receiver that are all at the same place in the code."""

    receiver: str
    summary: str
    """The number of records, and the duration of the longest call."""
    innermost: Sequence[str]
    """The innermost frames of the call stack, the innermost first."""
    outer: Sequence[str]
    """The other frames."""
    records: Sequence[str]
    """Coordinates, duration and worker of each call, the longest call first."""
    where: str
    """The workers of these calls, and the number of other records that they have read and not finished."""
    pause: Posting | None
    """A button that pauses the receiver; None: the page shows no button."""


def slow_calls(runs: Sequence[WorkerRun], *, pause_url: str = "") -> list[SlowCalls]:
    """
    Return the slow calls of running workers, grouped by receiver and call stack. The group with the longest call comes
    first. ``pause_url``: URL of the action that pauses a receiver; empty: the calls have no buttons.
    """
    several = defaultdict[tuple[str, str], list[_Call]](list)
    for run in runs:
        if run.kind == "consumer" and run.is_alive:
            for one in run.state["slow_receivers"]:
                several[one["receiver"], one["stack"]].append((run, one))
    longest_first = [sorted(calls, key=lambda call: -call[1]["seconds"]) for calls in several.values()]
    longest_first.sort(key=lambda calls: -calls[0][1]["seconds"])
    return [_of_one_stack(calls, pause_url) for calls in longest_first]


def _of_one_stack(calls: Sequence[_Call], pause_url: str) -> SlowCalls:
    first, count = calls[0][1], len(calls)
    frames = [shown(one) for one in first["stack"].split(" < ")]
    summary = ngettext("%(count)d record, for %(age)s", "%(count)d records, longest %(age)s", count)
    about = first["receiver"]
    button = Posting(label=gettext("Pause …"), about=about, action=pause_url, fields={"receiver": about})
    return SlowCalls(
        receiver=shown(about),
        where=_where(calls),
        summary=summary % {"count": count, "age": age(first["seconds"])},
        innermost=frames[:_INNERMOST],
        outer=frames[_INNERMOST:],
        records=list(map(_record, calls[:_MOST_RECORDS])) + _more(count - _MOST_RECORDS),
        pause=button if pause_url else None,
    )


def _where(calls: Sequence[_Call]) -> str:
    runs = {f"{run.host}:{run.pid}": run for run, _ in calls}
    names = [
        gettext("%(worker)s (group %(group)s)") % {"worker": name, "group": shown(run.group)}
        for name, run in runs.items()
    ]
    text = ngettext("In worker %(workers)s.", "In workers %(workers)s.", len(names)) % {"workers": ", ".join(names)}
    others = sum(run.state["in_flight"] for run in runs.values()) - len(calls)
    return f"{text} {_unfinished(others, len(runs))}" if others > 0 else text


def _unfinished(records: int, workers: int) -> str:
    text = ngettext(
        "%(count)s other record that %(who)s read is not finished.",
        "%(count)s other records that %(who)s read are not finished.",
        records,
    )
    return text % {"count": charts.count(records), "who": ngettext("this worker has", "these workers have", workers)}


def _record(call: _Call) -> str:
    run, one = call
    return gettext("%(record)s, for %(age)s, worker %(worker)s") % {
        "record": f"{shown(one['topic'])}:{one['partition']}:{one['offset']}",
        "age": age(one["seconds"]),
        "worker": f"{run.host}:{run.pid}",
    }


def _more(count: int) -> list[str]:
    return [gettext("and %(count)d more") % {"count": count}] if count > 0 else []
