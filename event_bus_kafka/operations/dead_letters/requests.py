"""Shows replay requests to operators, and lets operators pause, resume and cancel requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
from django.db import connections, router
from django.db.models import Count

from event_bus_kafka.conf.routes import short_topic
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import (
    LetterState,
    ReplayRequest,
    ReplayRequestQuerySet,
    RequestedLetter,
    RequestedRun,
    RequestState,
)
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.models.replay_requests import OPEN, TAKEN_OVER_AFTER
from event_bus_kafka.operations.requested_runs.prospects import not_ready
from event_bus_kafka.operations.requested_runs.run_obstacles import obstacles_to_runs, runs_of
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.workers import TAKER_UNKNOWN, WorkerRun, replaying_groups, worker_command, workers

_PROBLEMS = (LetterState.FAILED, LetterState.SKIPPED, LetterState.PARTLY, LetterState.UNKNOWN)
_TOLD_HOLDS = 5
"""
Number of holds in a row after which :attr:`RequestReport.obstacle` mentions the holds. A worker holds a request while a
server is unreachable; this number of holds takes about half a minute.
"""
_NAMED = 5
"""Maximum number of receivers that a sentence names."""


@attrs.frozen(kw_only=True)
class RequestReport:
    """A replay request, its progress, and its obstacle, if there is one."""

    request: ReplayRequest
    counts: Mapping[str, int]
    """State → number of letters, or of the run's records or items."""
    obstacle: str = ""
    """
    Why the request makes no progress: no worker can take it, or its worker waits for a server. Names the remedy. Empty
    if nothing is known to be in the way, or if the request is paused or has ended.
    """
    run: RequestedRun | None = None
    """The replay of a topic, or the backfill; None for a request to replay dead letters."""

    @property
    def progress(self) -> RunProgress:
        """The progress of ``run``; without a run, all numbers in it are 0."""
        return RunProgress.of(self.run.progress if self.run else {})

    @property
    def total(self) -> int:
        return self.progress.total if self.run else sum(self.counts.values())

    @property
    def done(self) -> int:
        """Number of letters that are neither waiting nor running. For a run: number of processed offsets or items."""
        if self.run:
            return self.progress.done
        return sum(self.counts.get(one, 0) for one in (LetterState.SUCCEEDED, *_PROBLEMS))


def is_migrated() -> bool:
    """Whether the tables of replay requests exist. Raises a database error if the database does not answer."""
    return has_tables(connections[_rows().db], ReplayRequest, RequestedLetter)


def reports(limit: int, *, only_open: bool = False) -> list[RequestReport]:
    """
    Return at most ``limit`` requests, newest first. ``only_open``: leave out requests that have ended. Raises a
    database error.
    """
    rows = _rows().order_by("-pk")
    return _reported(list(rows.still_open()[:limit] if only_open else rows[:limit]))


def report_of(number: int) -> RequestReport | None:
    """Return the report of request ``number``; None if this request does not exist. Raises a database error."""
    return next(iter(_reported(list(_rows().filter(pk=number)))), None)


def open_states() -> Mapping[str, int]:
    """Return state → number of requests, without the requests that have ended. Raises a database error."""
    found = _rows().still_open().order_by().values_list("state").annotate(count=Count("pk"))
    counts = dict(found)
    return {state: counts[state] for state in OPEN if state in counts}


def problems(number: int, limit: int | None = None) -> list[RequestedLetter]:
    """
    Return the letters of request ``number`` that failed, were skipped, succeeded only for some of their pending
    receivers, or have an unknown result, in the order of the request. ``limit``: maximum number of letters.
    """
    rows = RequestedLetter.objects.using(_rows().db).of(number, *_PROBLEMS)
    return list(rows if limit is None else rows[:limit])


def reasons(number: int) -> Mapping[str, Mapping[str, int]]:
    """
    Return state → reason → number of letters of request ``number``, for the states of the letters in :func:`problems`.
    The most frequent reason comes first.
    """
    return RequestedLetter.objects.using(_rows().db).reasons(number, *_PROBLEMS)


@attrs.frozen(kw_only=True)
class RequestChange:
    """A change of a request's state that an operator may make: pause, resume or cancel."""

    states: Sequence[RequestState]
    """The states from which the change is possible."""
    plan: str
    """Sentence that tells the operator, before the change, what the change would do."""
    done: str
    """Sentence that tells the operator, after the change, what follows."""
    apply: Callable[[ReplayRequestQuerySet, int, str], bool]
    """
    Changes a request. Called with the rows of all requests, the number of the request and the name of the user. Returns
    False if the change is not possible.
    """


PAUSE = RequestChange(
    states=(RequestState.REQUESTED, RequestState.RUNNING),
    plan="Its worker begins nothing more of it until it is resumed, and finishes what runs.",
    done="It is paused: within seconds, its worker begins nothing more of it.",
    apply=lambda rows, number, by: rows.pause(number, note=f"paused by {by}"),
)
RESUME = RequestChange(
    states=(RequestState.PAUSED,),
    plan="A worker goes on with it.",
    done="It waits for a worker.",
    apply=lambda rows, number, by: rows.resume(number),
)
CANCEL = RequestChange(
    states=(RequestState.REQUESTED, RequestState.RUNNING, RequestState.PAUSED),
    plan="It ends: its worker begins nothing more of it, and finishes what runs. The rest can be requested again.",
    done="It is cancelled: within seconds, its worker begins nothing more of it.",
    apply=lambda rows, number, by: rows.cancel(number, note=f"cancelled by {by}"),
)


def obstacle_to(change: RequestChange, number: int) -> str:
    """Return why ``change`` is not possible for a request; empty: it is possible. Raises a database error."""
    found = _rows().filter(pk=number).first()
    if found is None:
        return f"There is no replay request {number}."
    wanted = " or ".join(change.states)
    return "" if found.state in change.states else f"Replay request {number} is {found.state}, not {wanted}."


def change_request(change: RequestChange, number: int, by: str) -> str:
    """Change a request. Return why the change was not possible; empty: the change was made. Raises a database error."""
    return "" if change.apply(_rows(), number, by) else obstacle_to(change, number)


def letters_left(number: int) -> tuple[ReplayRequest | None, list[int]]:
    """Return request ``number``, or None if it does not exist, and the ids of its letters without a known result."""
    request = _rows().filter(pk=number).first()
    return request, RequestedLetter.objects.using(_rows().db).without_result(number)


def obstacle_before(group: str, topics: Sequence[str], receivers: Sequence[str] = ()) -> str:
    """
    Return why no worker would run a request of ``group`` soon, and the remedy; empty: a worker would run the request.
    If workers write no heartbeats, return :data:`TAKER_UNKNOWN`. ``receivers``: names of the receivers that the request
    would run; empty: each letter's pending receivers.
    """
    if not settings.heartbeat:
        return TAKER_UNKNOWN
    able = replaying_groups(known := workers())
    if group not in able:
        return f"{_nobody(group)} Start one: {worker_command(group, map(short_topic, topics))}."
    if _lacks(able[group], receivers):
        return f"{_nobody_has(group, receivers)} Or name one with --receiver, and in whose place with --instead-of."
    return not_ready(group, known)


def _reported(found: Sequence[ReplayRequest]) -> list[RequestReport]:
    runs = runs_of(found)
    letters = RequestedLetter.objects.using(_rows().db).counts([one.pk for one in found if one.pk not in runs])
    counts = {**letters, **{number: RunProgress.of(run.progress).counts for number, run in runs.items()}}
    silent = _silent([one for one in found if one.state == RequestState.RUNNING or counts[one.pk].get("running")])
    waiting = [
        one
        for one in found
        if one.state == RequestState.REQUESTED or (one.state == RequestState.RUNNING and one in silent)
    ]
    held = [one for one in found if one.state == RequestState.RUNNING and one.note and one not in silent]
    obstacles = {
        **_obstacles([one for one in waiting if one.pk not in runs], held),
        **obstacles_to_runs(waiting, runs),
    }
    return [
        RequestReport(
            request=one,
            counts=_known(counts[one.pk]) if not one.is_open and one in silent else counts[one.pk],
            obstacle=obstacles.get(one.pk, ""),
            run=runs.get(one.pk),
        )
        for one in found
    ]


def _silent(begun: Sequence[ReplayRequest]) -> list[ReplayRequest]:
    """Return the requests that no worker has claimed, or whose worker has not renewed its claim for a minute."""
    dead = database_now(_rows().db) - round(TAKEN_OVER_AFTER * 1000) if begun else 0
    return [one for one in begun if one.claimed_by is None or (one.beat_at or 0) < dead]


def _known(counts: Mapping[str, int]) -> Mapping[str, int]:
    """
    Return ``counts`` with the running letters added to the unknown letters. The worker of these letters has died, and
    no other worker has written their results yet.
    """
    running = counts.get(LetterState.RUNNING, 0)
    known = {state: count for state, count in counts.items() if state != LetterState.RUNNING}
    return known | {LetterState.UNKNOWN: known.get(LetterState.UNKNOWN, 0) + running} if running else counts


def _obstacles(waiting: Sequence[ReplayRequest], held: Sequence[ReplayRequest]) -> Mapping[int, str]:
    """
    Return number of a request → why none of its letters begins at present. Requests without an obstacle are left out.
    ``waiting``: requests without a living worker. ``held``: requests whose worker waits for a server.
    """
    if not settings.heartbeat:
        return {one.pk: TAKER_UNKNOWN for one in waiting}
    runs = workers() if waiting or held else []
    able = replaying_groups(runs)
    left = [one for one in waiting if one.group not in able]
    topics = RequestedLetter.objects.using(_rows().db).topics([one.pk for one in left]) if left else {}
    lacking = [one for one in waiting if one.group in able and _lacks(able[one.group], one.receivers)]
    return (
        {one.pk: _no_worker(one, topics[one.pk]) for one in left}
        | {one.pk: _no_receiver(one) for one in lacking}
        | {one.pk: text for one in held if (text := _held(one, runs))}
    )


def _lacks(known: frozenset[str] | None, receivers: Sequence[str]) -> bool:
    """
    Return whether ``known``, the workers' receivers, contains none of ``receivers``. Return False if ``known`` is None
    or ``receivers`` is empty.
    """
    return known is not None and bool(receivers) and known.isdisjoint(receivers)


def _no_worker(request: ReplayRequest, topics: Sequence[str]) -> str:
    return (
        f"{_nobody(request.group)} Start one: {worker_command(request.group, map(short_topic, topics))}. Or run the "
        f"receivers in a shell of the service, and cancel this: {_replay_command(request)} --apply"
    )


def _no_receiver(request: ReplayRequest) -> str:
    return (
        f"{_nobody_has(request.group, request.receivers)} Or cancel this and name another in its place: "
        f"{_replay_command(request)} --receiver NEW --instead-of OLD --request --apply"
    )


def _held(request: ReplayRequest, runs: Sequence[WorkerRun]) -> str:
    states = [run.state["replaying"] for run in runs if run.is_alive and run.state.get("replaying")]
    times = max((one.get("holds", 0) for one in states if one.get("request") == request.pk), default=0)
    if times < _TOLD_HOLDS:
        return ""
    return (
        f"Its worker has held it {times} times in a row without progress: {request.note}. It goes on by itself within "
        "a minute after the cause is gone."
    )


def _nobody(group: str) -> str:
    return f"No worker of group {group} lives that could do it."


def _nobody_has(group: str, receivers: Sequence[str]) -> str:
    of = "receiver" if len(receivers) == 1 else "any of the receivers"
    more = ", …" if len(receivers) > _NAMED else ""
    return (
        f"No living worker of group {group} has {of} {', '.join(receivers[:_NAMED])}{more}. Start the version of the "
        "service that has it."
    )


def _replay_command(request: ReplayRequest) -> str:
    return f"manage.py event_dead_letters replay --of-request {request.pk}"


def _rows() -> ReplayRequestQuerySet:
    return ReplayRequest.objects.using(router.db_for_write(ReplayRequest))
