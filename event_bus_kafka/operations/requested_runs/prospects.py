"""Tells when a worker will begin a replay request that no worker has taken yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs
from django.db import router

from event_bus_kafka.models import ReplayRequest, RequestedRun, RequestState
from event_bus_kafka.operations.requested_runs.run_obstacles import could_do
from event_bus_kafka.operations.workers import WorkerRun, can_replay, workers


@attrs.frozen(kw_only=True)
class Prospect:
    """The reasons why a request still waits: other requests come first, or no worker is ready."""

    group: str
    """The group whose workers may do the request; empty: any worker of this service may do it."""
    first: Sequence[int] = ()
    """Numbers of other requests that the workers do first; empty: a worker takes the request within a few seconds."""
    not_ready: str = ""
    """Sentence that tells why no worker is ready; empty: a worker is ready, or ``first`` is not empty."""


def prospects(waiting: Sequence[tuple[ReplayRequest, RequestedRun | None]]) -> Mapping[int, Prospect]:
    """
    Return number of a request → :class:`Prospect`, for the requests in ``waiting``. A request that no known worker
    could do is left out, because its report has an obstacle. Sends at most two SQL statements. Raises a database error.

    ``waiting``: requests that have no worker, each with its run; the run is None if the request replays dead letters.
    """
    if not waiting:
        return {}
    known, unfinished = workers(), _unfinished(with_runs=any(run for _, run in waiting))
    found = {request.pk: _prospect(request, run, known, unfinished) for request, run in waiting}
    return {number: prospect for number, prospect in found.items() if prospect}


def _prospect(
    request: ReplayRequest, run: RequestedRun | None, known: Sequence[WorkerRun], unfinished: Sequence[ReplayRequest]
) -> Prospect | None:
    able = [one for one in known if _could_take(one, request, run)]
    if not able:
        return None
    group = run.group if run else request.group
    groups = {one.group for one in able}
    others = [one for one in unfinished if one.pk != request.pk]
    ahead = [one.pk for one in others if _is_first(one, request, run, groups) and _is_for(one, able)]
    began = {one.worker: one.pk for one in others if one.state == RequestState.RUNNING}
    busy_with = [number for one in able if (number := _request_of(one, began))]
    if len(busy_with) + len(ahead) < len(able):
        return Prospect(group=group, not_ready=not_ready(group, able))
    return Prospect(group=group, first=sorted({*busy_with, *ahead}))


def not_ready(group: str, known: Sequence[WorkerRun]) -> str:
    """
    Return a sentence that tells why no worker is ready for a replay of ``group``. Return an empty text if a worker in
    ``known`` is ready for it, or if ``known`` contains no worker that can do it. ``group``: empty for all groups.
    """
    obstacles = [one.state.get("obstacles") for one in known if can_replay(one) and group in ("", one.group)]
    if not (obstacles and all(obstacles)):
        return ""
    why = "; ".join(dict.fromkeys(text for several in obstacles for text in several or ()))
    whose = f" of group {group}" if group else ""
    return f"No worker{whose} is ready ({why}): until that is mended, the replay may be slow, or wait."


def _could_take(worker: WorkerRun, request: ReplayRequest, run: RequestedRun | None) -> bool:
    if run:
        return could_do(worker, run.group, request.receiver)
    names = worker.state.get("receivers")
    lacks_all = names is not None and bool(request.receivers) and set(request.receivers).isdisjoint(names)
    return can_replay(worker) and worker.group == request.group and not lacks_all


def _unfinished(*, with_runs: bool) -> Sequence[ReplayRequest]:
    """
    Return the requests that wait for a worker or that a worker runs. ``with_runs``: also read the requests' runs, whose
    table must then exist.
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
    """
    Return whether one of the workers could take ``waiting``. For a request with a run, return True without a check.
    """
    return not waiting.group or any(_could_take(one, waiting, None) for one in able)


def _request_of(worker: WorkerRun, began: dict[str, int]) -> int | None:
    """
    Return the number of the request that the worker runs; None: it runs no request. ``began``: name of a worker →
    number of its running request, from the table of requests. This mapping is used if the worker's last heartbeat names
    no request, because the heartbeat may be older than the worker's claim.
    """
    replaying = worker.state.get("replaying")
    return replaying["request"] if replaying else began.get(f"{worker.host}:{worker.pid}")
