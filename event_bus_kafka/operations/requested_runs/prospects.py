"""Tells when a worker begins a replay request that waits for a worker."""

from __future__ import annotations

from event_bus_kafka.models import ReplayRequest, RequestedRun
from event_bus_kafka.operations.requested_runs.run_obstacles import could_do
from event_bus_kafka.operations.workers import WorkerRun, can_replay, workers
from event_bus_kafka.shown import shown


def prospect(request: ReplayRequest, run: RequestedRun | None) -> str:
    """
    Return a sentence that says when a worker begins ``request``, which has no worker. Empty: no worker is known that
    could do the request; then the report of the request has an obstacle. ``run``: the replay of a topic, or the
    backfill; None for a request to replay dead letters. Raises a database error.
    """
    able = [one for one in workers() if _could_take(one, request, run)]
    busy_with = [one.state["replaying"]["request"] for one in able if one.state.get("replaying")]
    if not able:
        return ""
    group = shown(run.group if run else request.group)
    whose = f"group {group}" if group else "this service"
    if len(busy_with) < len(able):
        return f"A worker of {whose} takes it within a few seconds."
    numbers = ", ".join(map(str, sorted(set(busy_with))))
    return (
        f"All workers of {whose} that could do it are busy with other replay requests ({numbers}), and do one at a "
        "time. Pause one of those to let this one pass."
    )


def _could_take(worker: WorkerRun, request: ReplayRequest, run: RequestedRun | None) -> bool:
    if run:
        return could_do(worker, run.group, request.receiver)
    names = worker.state.get("receivers")
    lacks_all = names is not None and bool(request.receivers) and set(request.receivers).isdisjoint(names)
    return can_replay(worker) and worker.group == request.group and not lacks_all
