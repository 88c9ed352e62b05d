"""Finds out whether a worker can take a requested run. If none can, names the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from shlex import quote

from django.db import connections, router

from event_bus_kafka.conf.client_options import service_name
from event_bus_kafka.conf.routes import short_topic
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import ReplayRequest, RequestedRun
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import (
    BackfillArguments,
    RunWish,
    TopicArguments,
    arguments_of,
)
from event_bus_kafka.operations.workers import TAKER_UNKNOWN, WorkerRun, worker_command, workers
from event_bus_kafka.shown import shown, shown_time

_PLACES_SHOWN = 3


def runs_of(requests: Iterable[ReplayRequest]) -> Mapping[int, RequestedRun]:
    """Return number of the request → its run. Requests without a run are left out. Raises a database error."""
    numbers = [one.pk for one in requests if not one.group]
    alias = router.db_for_write(ReplayRequest)
    if not numbers or not were_found(connections[alias], RequestedRun):
        return {}
    return {one.request_id: one for one in RequestedRun.objects.using(alias).filter(request__in=numbers)}


def obstacles_to_runs(waiting: Iterable[ReplayRequest], runs: Mapping[int, RequestedRun]) -> Mapping[int, str]:
    """
    Return number of a request → why no worker takes its run, and the remedy; an empty text: a worker can take the run.
    If workers write no heartbeats, the text for a run of a known kind is :data:`TAKER_UNKNOWN`. Requests without a run
    are left out. Raises a database error.
    """
    left = [one for one in waiting if one.pk in runs]
    there = _known_workers() if left else []
    return {one.pk: _obstacle_to(one, runs[one.pk], there) for one in left}


def obstacle_before_run(wish: RunWish) -> str:
    """
    Return why no worker would take the run that an operator wishes, and the remedy; empty: a worker would take it.
    If workers write no heartbeats, return :data:`TAKER_UNKNOWN`. Raises a database error.
    """
    return _problem(wish.group, wish.arguments, wish.receiver, _known_workers())


def could_do(worker: WorkerRun, group: str, receiver: str) -> bool:
    """
    Whether a worker can take a run of ``group``, or of this service if ``group`` is empty. Such a worker is alive and
    of a version that takes runs. If ``receiver`` is given, the worker has this receiver or does not report its
    receivers.
    """
    state = worker.state
    if not (worker.is_alive and state.get("is_alive", True) and state.get("takes_runs")):
        return False
    names = state.get("receivers")
    if receiver and names is not None and receiver not in names:
        return False
    return worker.group == group if group else worker.service == (service_name() or "")


def _known_workers() -> Sequence[WorkerRun]:
    return workers() if settings.heartbeat else ()


def _obstacle_to(request: ReplayRequest, run: RequestedRun, there: Sequence[WorkerRun]) -> str:
    if not run.is_known:
        return "A later version made this request, and only its workers can do it."
    arguments = arguments_of(run)
    problem = _problem(run.group, arguments, request.receiver, there)
    if not problem or not settings.heartbeat:
        return problem
    commands = "; ".join(_commands(request, arguments, RunProgress.of(run.progress)))
    return f"{problem} Or cancel it, and do it in a shell of the service: {commands}"


def _problem(
    group: str, arguments: TopicArguments | BackfillArguments, receiver: str, there: Sequence[WorkerRun]
) -> str:
    if not settings.heartbeat:
        return TAKER_UNKNOWN
    if any(could_do(one, group, receiver) for one in there):
        return ""
    topic = short_topic(arguments.topic) if isinstance(arguments, TopicArguments) else "TOPIC"
    whose = f"of group {shown(group)}" if group else f"of service {service_name() or '-'}"
    has = f" and has the receiver {shown(receiver)}" if receiver else ""
    command = worker_command(shown(group) or "GROUP", [topic])
    return f"No worker {whose} lives that knows of such requests{has}. Start one: {command}."


def _commands(
    request: ReplayRequest, arguments: TopicArguments | BackfillArguments, progress: RunProgress
) -> Iterator[str]:
    rate = "" if request.rate is None else f" --rate {request.rate:g}"
    if isinstance(arguments, BackfillArguments):
        limit = "" if arguments.limit is None else f" --limit {arguments.limit - progress.items}"
        resume = "" if progress.token is None else f" --resume {quote(shown(progress.token))}"
        yield f"manage.py backfill_events {arguments.source}{resume}{limit}{rate} --apply"
        return
    since = "" if arguments.since is None else f" --from {shown_time(arguments.since)}"
    before = "" if arguments.before is None else f" --to {shown_time(arguments.before)}"
    only = "".join(
        f" {option} {quote(shown(text))}"
        for option, text in (("--event-type", arguments.event_type), ("--receiver", request.receiver))
        if text
    )
    left = [one for one in progress.places if one.position < one.end]
    for one in islice(left, _PLACES_SHOWN):
        where = f"-t {one.topic}:{one.partition} --from {one.position}{since} --to {one.end}{before}"
        yield f"manage.py replay_events {where}{only}{' --key …' if arguments.key is not None else ''}{rate} --apply"
    if len(left) > _PLACES_SHOWN:
        yield f"… and for {len(left) - _PLACES_SHOWN} more partitions"
