"""Replay requests as operators see and change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

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
from event_bus_kafka.operations.requested_runs.run_obstacles import obstacle_to_run, runs_of
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.requested_runs.run_report import run_json, units
from event_bus_kafka.operations.workers import workers

_PROBLEMS = (LetterState.FAILED, LetterState.SKIPPED)
_NOW_UNKNOWN = "Whether a worker takes it is not known: EVENT_BUS_KAFKA_HEARTBEAT = 0."


@attrs.frozen(kw_only=True)
class RequestReport:
    """A request, its progress, and the obstacle to it."""

    request: ReplayRequest
    counts: Mapping[str, int]
    """Number of letters by state."""
    obstacle: str = ""
    """The reason for which no worker runs it, and the remedy; empty: one does, or it has ended."""
    run: RequestedRun | None = None
    """The replay of a topic, or the backfill, that it has in place of letters."""

    @property
    def progress(self) -> RunProgress:
        """The progress of its run, if it has one."""
        return RunProgress.of(self.run.progress if self.run else {})

    @property
    def total(self) -> int:
        return self.progress.total if self.run else sum(self.counts.values())

    @property
    def done(self) -> int:
        """Letters that had their turn; offsets, or items, that are behind it."""
        if self.run:
            return self.progress.done
        return sum(self.counts.get(one, 0) for one in (LetterState.SUCCEEDED, *_PROBLEMS))


def is_migrated() -> bool:
    """Whether there are requests here. Raises a database error where that cannot be found out."""
    return has_tables(connections[_rows().db], ReplayRequest, RequestedLetter)


def reports(limit: int, *, only_open: bool = False) -> list[RequestReport]:
    """Return the latest requests. Raises a database error."""
    rows = _rows().order_by("-pk")
    return _reported(list(rows.still_open()[:limit] if only_open else rows[:limit]))


def report_of(number: int) -> RequestReport | None:
    """Return one request, None where there is none of that number. Raises a database error."""
    return next(iter(_reported(list(_rows().filter(pk=number)))), None)


def open_states() -> Mapping[str, int]:
    """Return how many requests that have not ended are in which state. Raises a database error."""
    found = _rows().still_open().order_by().values_list("state").annotate(count=Count("pk"))
    counts = dict(found)
    return {state: counts[state] for state in OPEN if state in counts}


def problems(number: int, limit: int | None = None) -> list[RequestedLetter]:
    """Return the letters of a request that failed or were skipped, in order."""
    rows = RequestedLetter.objects.using(_rows().db).of(number, *_PROBLEMS)
    return list(rows if limit is None else rows[:limit])


def reasons(number: int) -> Mapping[str, Mapping[str, int]]:
    """Return why letters of a request failed or were skipped: how many there are of each reason, the most first."""
    rows = RequestedLetter.objects.using(_rows().db)
    return {state.value: rows.reasons(number, state) for state in _PROBLEMS}


@attrs.frozen(kw_only=True)
class RequestChange:
    """Something that an operator may do to a request."""

    states: Sequence[RequestState]
    """The states of a request that it applies to."""
    plan: str
    done: str
    apply: Callable[[ReplayRequestQuerySet, int, str], bool]
    """Changes a request: takes its number and the name of the user."""


PAUSE = RequestChange(
    states=(RequestState.REQUESTED, RequestState.RUNNING),
    plan="Nothing of it begins any more until it is resumed; what runs comes to its end.",
    done="It is paused: within seconds its worker begins nothing more of it.",
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
    plan="It ends: nothing of it begins any more; what runs comes to its end. The rest may be requested again.",
    done="It is stopped: within seconds its worker begins nothing more of it.",
    apply=lambda rows, number, by: rows.cancel(number, note=f"cancelled by {by}"),
)


def obstacle_to(change: RequestChange, number: int) -> str:
    """Return why a request cannot be changed so, empty where it can. Raises a database error."""
    found = _rows().filter(pk=number).first()
    if found is None:
        return f"There is no replay request {number}."
    wanted = " or ".join(change.states)
    return "" if found.state in change.states else f"Replay request {number} is {found.state}, not {wanted}."


def change_request(change: RequestChange, number: int, by: str) -> str:
    """Do it; return why it could not be done, empty where it was. Raises a database error."""
    return "" if change.apply(_rows(), number, by) else obstacle_to(change, number)


def as_json(found: RequestReport) -> dict[str, Any]:
    """Return all that is known of a request but its letters."""
    request = found.request
    names = ("group", "receiver", "instead_of", "receivers", "rate", "stop_after", "requested_by", "reason", "state")
    times = ("requested_at", "began_at", "beat_at", "ended_at")
    return {
        "id": request.pk,
        **{name: getattr(request, name) for name in (*names, "note", "worker", "failures_in_row")},
        **{name: _iso(getattr(request, name)) for name in times},
        units(found.run): found.total,
        "done": found.done,
        **{state: found.counts.get(state, 0) for state in LetterState.values},
        "obstacle": found.obstacle,
        **(run_json(found.run) if found.run else {"kind": "letters"}),
    }


def letter_json(letter: RequestedLetter) -> dict[str, Any]:
    """Return the facts about a letter of a request."""
    names = ("letter", "topic", "partition", "offset", "event_type", "state", "error")
    return {name: getattr(letter, name) for name in names}


def obstacle_before(group: str, topics: Sequence[str]) -> str:
    """Return the reason for which no worker would take a group's request, and the remedy; empty: one would."""
    if not settings.heartbeat:
        return _NOW_UNKNOWN
    return "" if group in _groups_able() else f"{_nobody(group)} Start one: {_worker_command(group, topics)}."


def _reported(found: Sequence[ReplayRequest]) -> list[RequestReport]:
    runs, waiting = runs_of(found), _without_worker(found)
    counts = RequestedLetter.objects.using(_rows().db).counts([one.pk for one in found if one.pk not in runs])
    obstacles = dict(_obstacles([one for one in waiting if one.pk not in runs]))
    obstacles |= {one.pk: obstacle_to_run(one, runs[one.pk]) for one in waiting if one.pk in runs}
    return [
        RequestReport(
            request=one,
            counts=_counts_of(runs[one.pk]) if one.pk in runs else counts[one.pk],
            obstacle=obstacles.get(one.pk, ""),
            run=runs.get(one.pk),
        )
        for one in found
    ]


def _counts_of(run: RequestedRun) -> Mapping[str, int]:
    progress = RunProgress.of(run.progress)
    found = {
        LetterState.SUCCEEDED: progress.succeeded,
        LetterState.FAILED: progress.failed,
        LetterState.SKIPPED: progress.skipped,
    }
    return {state.value: count for state, count in found.items() if count}


def _without_worker(found: Sequence[ReplayRequest]) -> list[ReplayRequest]:
    """
    Return the requests that wait for a worker: none has claimed them, or their worker is dead, silent for too long.
    """
    is_any_running = any(one.state == RequestState.RUNNING for one in found)
    dead = database_now(_rows().db) - round(TAKEN_OVER_AFTER * 1000) if is_any_running else 0
    silent = [one for one in found if one.state == RequestState.RUNNING and (one.beat_at or 0) < dead]
    return [one for one in found if one.state == RequestState.REQUESTED or one in silent]


def _obstacles(waiting: Sequence[ReplayRequest]) -> Mapping[int, str]:
    """Return why nobody takes requests that wait for a worker, by their numbers."""
    if not settings.heartbeat:
        return {one.pk: _NOW_UNKNOWN for one in waiting}
    able = _groups_able() if waiting else frozenset()
    left = [one for one in waiting if one.group not in able]
    topics = RequestedLetter.objects.using(_rows().db).topics([one.pk for one in left]) if left else {}
    return {one.pk: _obstacle(one, topics[one.pk]) for one in left}


def _groups_able() -> frozenset[str]:
    """Return the groups of which a worker lives that knows of requests: the version before does not."""
    return frozenset(one.group for one in workers() if one.is_alive and "replaying" in one.state)


def _obstacle(request: ReplayRequest, topics: Sequence[str]) -> str:
    return (
        f"{_nobody(request.group)} Start one: {_worker_command(request.group, topics)}. Or run the "
        f"receivers in a shell of the service: {_replay_command(request)}"
    )


def _nobody(group: str) -> str:
    return f"No worker of group {group} lives that could do it."


def _worker_command(group: str, topics: Sequence[str]) -> str:
    named = "".join(f" -t {short_topic(topic)}" for topic in topics)
    return f"manage.py consume_events{named} -g {group}"


def _replay_command(request: ReplayRequest) -> str:
    receiver = f" --receiver {request.receiver}" if request.receiver else ""
    instead_of = f" --instead-of {request.instead_of}" if request.instead_of else ""
    return f"manage.py event_dead_letters replay -g {request.group}{receiver}{instead_of} --apply"


def _rows() -> ReplayRequestQuerySet:
    return ReplayRequest.objects.using(router.db_for_write(ReplayRequest))


def _iso(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
