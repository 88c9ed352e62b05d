"""Shows replay requests to operators, and lets operators pause, resume and cancel requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
from django.db import connections, router
from django.db.models import Count

from event_bus_kafka.conf.routes import short_topic
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import LetterState, ReplayRequest, ReplayRequestQuerySet, RequestedLetter, RequestState
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.models.replay_requests import OPEN, TAKEN_OVER_AFTER
from event_bus_kafka.operations.workers import workers

_PROBLEMS = (LetterState.FAILED, LetterState.SKIPPED)
_NOW_UNKNOWN = "Whether a worker takes it is not known: EVENT_BUS_KAFKA_HEARTBEAT = 0."


@attrs.frozen(kw_only=True)
class RequestReport:
    """A replay request, its progress, and the reason why no worker runs it, if any."""

    request: ReplayRequest
    counts: Mapping[str, int]
    """State of a letter → number of letters."""
    obstacle: str = ""
    """
    Why no worker runs the request, and the remedy. Empty if a worker runs or can run the request, and if the request is
    paused or has ended.
    """

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Number of letters that succeeded, failed or were skipped."""
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
    """Return the report of request ``number``; None: there is no such request. Raises a database error."""
    return next(iter(_reported(list(_rows().filter(pk=number)))), None)


def open_states() -> Mapping[str, int]:
    """Return state → number of requests that have not ended. Raises a database error."""
    found = _rows().still_open().order_by().values_list("state").annotate(count=Count("pk"))
    counts = dict(found)
    return {state: counts[state] for state in OPEN if state in counts}


def problems(number: int, limit: int | None = None) -> list[RequestedLetter]:
    """
    Return the failed and skipped letters of request ``number``, in the order of the request. ``limit``: maximum number
    of letters.
    """
    rows = RequestedLetter.objects.using(_rows().db).of(number, *_PROBLEMS)
    return list(rows if limit is None else rows[:limit])


def reasons(number: int) -> Mapping[str, Mapping[str, int]]:
    """
    Return state (failed, skipped) → reason → number of letters of request ``number``. The most frequent reason comes
    first.
    """
    rows = RequestedLetter.objects.using(_rows().db)
    return {state.value: rows.reasons(number, state) for state in _PROBLEMS}


@attrs.frozen(kw_only=True)
class RequestChange:
    """A change of a request's state that an operator may make."""

    states: Sequence[RequestState]
    """The states from which the change is possible."""
    plan: str
    done: str
    apply: Callable[[ReplayRequestQuerySet, int, str], bool]
    """
    Function that changes a request. Called with the rows, the number of the request and the name of the user. Returns
    False if the change is not possible.
    """


PAUSE = RequestChange(
    states=(RequestState.REQUESTED, RequestState.RUNNING),
    plan="No letter of it begins any more until it is resumed; those that run come to their end.",
    done="It is paused: within seconds its worker begins no further letter.",
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
    plan="It ends: no letter of it begins any more; those that run come to their end. The rest may be requested again.",
    done="It is stopped: within seconds its worker begins no further letter.",
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


def as_json(found: RequestReport) -> dict[str, Any]:
    """Return all facts about a request as JSON values, without the list of its letters."""
    request = found.request
    names = ("group", "receiver", "instead_of", "receivers", "rate", "stop_after", "requested_by", "reason", "state")
    times = ("requested_at", "began_at", "beat_at", "ended_at")
    return {
        "id": request.pk,
        **{name: getattr(request, name) for name in (*names, "note", "worker", "failures_in_row")},
        **{name: _iso(getattr(request, name)) for name in times},
        "letters": found.total,
        "done": found.done,
        **{state: found.counts.get(state, 0) for state in LetterState.values},
        "obstacle": found.obstacle,
    }


def letter_json(letter: RequestedLetter) -> dict[str, Any]:
    """Return the facts about a letter of a request, as JSON values."""
    names = ("letter", "topic", "partition", "offset", "event_type", "state", "error")
    return {name: getattr(letter, name) for name in names}


def obstacle_before(group: str, topics: Sequence[str]) -> str:
    """Return why no worker would run a request of ``group``, and the remedy; empty: a worker would run the request."""
    if not settings.heartbeat:
        return _NOW_UNKNOWN
    return "" if group in _groups_able() else f"{_nobody(group)} Start one: {_worker_command(group, topics)}."


def _reported(found: Sequence[ReplayRequest]) -> list[RequestReport]:
    counts = RequestedLetter.objects.using(_rows().db).counts([one.pk for one in found])
    obstacles = _obstacles(_without_worker(found))
    return [RequestReport(request=one, counts=counts[one.pk], obstacle=obstacles.get(one.pk, "")) for one in found]


def _without_worker(found: Sequence[ReplayRequest]) -> list[ReplayRequest]:
    """
    Return the requests that no worker runs: no worker has claimed the request, or its worker has no recent heartbeat.
    """
    is_any_running = any(one.state == RequestState.RUNNING for one in found)
    dead = database_now(_rows().db) - round(TAKEN_OVER_AFTER * 1000) if is_any_running else 0
    silent = [one for one in found if one.state == RequestState.RUNNING and (one.beat_at or 0) < dead]
    return [one for one in found if one.state == RequestState.REQUESTED or one in silent]


def _obstacles(waiting: Sequence[ReplayRequest]) -> Mapping[int, str]:
    """Return number of the request → why no worker can run it. Requests that a worker can run are left out."""
    if not settings.heartbeat:
        return {one.pk: _NOW_UNKNOWN for one in waiting}
    able = _groups_able() if waiting else frozenset()
    left = [one for one in waiting if one.group not in able]
    topics = RequestedLetter.objects.using(_rows().db).topics([one.pk for one in left]) if left else {}
    return {one.pk: _obstacle(one, topics[one.pk]) for one in left}


def _groups_able() -> frozenset[str]:
    """Return the groups with a running worker that can replay. Workers of earlier versions cannot replay."""
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
