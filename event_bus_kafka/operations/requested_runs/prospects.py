"""Tells when a worker will begin a replay request that no worker has taken yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs
from django.db import router
from django.db.models import Q

from event_bus_kafka.models import ReplayRequest, RequestedRun, RequestState
from event_bus_kafka.operations.requested_runs.run_obstacles import could_do
from event_bus_kafka.operations.workers import WorkerRun, can_replay, workers


@attrs.frozen(kw_only=True)
class Prospect:
    """The time at which a worker begins a request."""

    group: str
    """The group whose workers may do the request; empty: any worker of this service may do it."""
    first: Sequence[int] = ()
    """Other requests that the workers do first, by number; empty: a worker takes the request within a few seconds."""


def prospect(request: ReplayRequest, run: RequestedRun | None) -> Prospect | None:
    """
    Return when a worker begins ``request``, which has no worker yet. Return None if no running worker could do the
    request; the report of the request then names an obstacle. ``run``: the replay of a topic, or the backfill; None for
    a request to replay dead letters. Raises a database error.
    """
    able = [one for one in workers() if _could_take(one, request, run)]
    if not able:
        return None
    group = run.group if run else request.group
    others = _others(request, run, {one.group for one in able})
    ahead = [one.pk for one in others if one.state == RequestState.REQUESTED and _is_for(one, able)]
    began = {one.worker: one.pk for one in others if one.state == RequestState.RUNNING}
    busy_with = [number for one in able if (number := _request_of(one, began))]
    if len(busy_with) + len(ahead) < len(able):
        return Prospect(group=group)
    return Prospect(group=group, first=sorted({*busy_with, *ahead}))


def _could_take(worker: WorkerRun, request: ReplayRequest, run: RequestedRun | None) -> bool:
    if run:
        return could_do(worker, run.group, request.receiver)
    names = worker.state.get("receivers")
    lacks_all = names is not None and bool(request.receivers) and set(request.receivers).isdisjoint(names)
    return can_replay(worker) and worker.group == request.group and not lacks_all


def _others(request: ReplayRequest, run: RequestedRun | None, groups: Collection[str]) -> Sequence[ReplayRequest]:
    """
    Return the requests that a worker runs, and those that workers of ``groups`` may take before ``request``. Workers
    take replays of dead letters before runs, and older requests before newer ones.
    """
    if run is None:
        first = Q(group__in=groups, pk__lt=request.pk)
    else:
        first = Q(group__in=groups) | Q(run__group__in=("", run.group), pk__lt=request.pk)
    rows = ReplayRequest.objects.using(router.db_for_write(ReplayRequest))
    return list(rows.filter(Q(state=RequestState.RUNNING) | first & Q(state=RequestState.REQUESTED)))


def _is_for(waiting: ReplayRequest, able: Sequence[WorkerRun]) -> bool:
    """
    Return whether one of the workers could take ``waiting``. For a request with a run, return True without a check.
    """
    return not waiting.group or any(_could_take(one, waiting, None) for one in able)


def _request_of(worker: WorkerRun, began: dict[str, int]) -> int | None:
    """
    Return the number of the request that the worker runs; None: it runs no request. The worker's last heartbeat may be
    too old to name the request. Therefore ``began`` is used, too: name of a worker → request, from the rows of the
    requests.
    """
    replaying = worker.state.get("replaying")
    return replaying["request"] if replaying else began.get(f"{worker.host}:{worker.pid}")
