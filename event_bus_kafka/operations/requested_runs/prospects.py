"""Tells when a worker begins a replay request that waits for a worker."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.db import router

from event_bus_kafka.models import ReplayRequest, RequestedRun, RequestState
from event_bus_kafka.operations.requested_runs.run_obstacles import could_do
from event_bus_kafka.operations.workers import WorkerRun, can_replay, workers
from event_bus_kafka.shown import shown

_SHOWN = 10
"""Maximum number of other requests that the sentence names."""


def prospects(waiting: Sequence[tuple[ReplayRequest, RequestedRun | None]]) -> Mapping[int, str]:
    """
    Return number of the request → a sentence that says when a worker begins this request, for each of ``waiting``:
    requests that have no worker, each with its replay of a topic or its backfill, or with None if it replays dead
    letters. A request that no known worker could do is left out; its report has an obstacle. Makes at most two
    statements. Raises a database error.
    """
    if not waiting:
        return {}
    known, unfinished = workers(), _unfinished(with_runs=any(run for _, run in waiting))
    found = {request.pk: _prospect(request, run, known, unfinished) for request, run in waiting}
    return {number: text for number, text in found.items() if text}


def _prospect(
    request: ReplayRequest, run: RequestedRun | None, known: Sequence[WorkerRun], unfinished: Sequence[ReplayRequest]
) -> str:
    able = [one for one in known if _could_take(one, request, run)]
    if not able:
        return ""
    group = shown(run.group if run else request.group)
    whose = f"group {group}" if group else "this service"
    groups = {one.group for one in able}
    others = [one for one in unfinished if one.pk != request.pk]
    ahead = [one.pk for one in others if _is_first(one, request, run, groups) and _is_for(one, able)]
    began = {one.worker: one.pk for one in others if one.state == RequestState.RUNNING}
    busy_with = [number for one in able if (number := _request_of(one, began))]
    if len(busy_with) + len(ahead) < len(able):
        return f"A worker of {whose} takes it within a few seconds."
    numbers = sorted({*busy_with, *ahead})
    more = ", …" if len(numbers) > _SHOWN else ""
    return (
        f"Workers of {whose} do other replay requests first ({', '.join(map(str, numbers[:_SHOWN]))}{more}), each one "
        "at a time. Pause those to let this one pass."
    )


def _could_take(worker: WorkerRun, request: ReplayRequest, run: RequestedRun | None) -> bool:
    if run:
        return could_do(worker, run.group, request.receiver)
    names = worker.state.get("receivers")
    lacks_all = names is not None and bool(request.receivers) and set(request.receivers).isdisjoint(names)
    return can_replay(worker) and worker.group == request.group and not lacks_all


def _unfinished(*, with_runs: bool) -> Sequence[ReplayRequest]:
    """
    Return the requests that wait for a worker or that a worker runs. ``with_runs``: read their runs, too, whose table
    exists if one of the requests has a run.
    """
    rows = ReplayRequest.objects.using(router.db_for_write(ReplayRequest))
    unfinished = rows.filter(state__in=(RequestState.REQUESTED, RequestState.RUNNING))
    return list(unfinished.select_related("run") if with_runs else unfinished)


def _is_first(other: ReplayRequest, request: ReplayRequest, run: RequestedRun | None, groups: Collection[str]) -> bool:
    """
    Return whether workers of ``groups`` may take the waiting request ``other`` before ``request``. Workers take replays
    of dead letters before runs, and older requests before newer ones.
    """
    if other.state != RequestState.REQUESTED:
        return False
    is_older = other.pk < request.pk
    if other.group:
        return other.group in groups and (run is not None or is_older)
    return run is not None and is_older and hasattr(other, "run") and other.run.group in ("", run.group)


def _is_for(waiting: ReplayRequest, able: Sequence[WorkerRun]) -> bool:
    """Return whether one of the workers could take ``waiting``. Without asking, assume so for runs."""
    return not waiting.group or any(_could_take(one, waiting, None) for one in able)


def _request_of(worker: WorkerRun, began: dict[str, int]) -> int | None:
    """
    Return the request that the worker does. Its last heartbeat may be older than the request's row, where ``began`` has
    the worker's name.
    """
    replaying = worker.state.get("replaying")
    return replaying["request"] if replaying else began.get(f"{worker.host}:{worker.pid}")
