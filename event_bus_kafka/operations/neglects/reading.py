"""
Reads the tables in which neglects show, with a few cheap SQL statements. Import this module only if the app is
installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from time import time
from typing import Any

import attrs
from django.db import connections, models, router

from event_bus_kafka.interruptions import let_through
from event_bus_kafka.models import DeadLetter, Heartbeat, OutboxRecord, ParkedRecord, PausedReceiver
from event_bus_kafka.models.database_time import VENDORS, database_now
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.neglects.catalogue import DEAD_LETTERS_AFTER
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED
from event_bus_kafka.operations.status.asking import Questions
from event_bus_kafka.operations.workers import WorkerRun, workers

HEARTBEATS, LETTERS, PAUSES = "heartbeats", "dead letters", "pauses"
_Clock = Callable[[str], tuple[datetime, float]]


@attrs.frozen(kw_only=True)
class Beats:
    """The heartbeats."""

    alias: str
    now: datetime
    """The present time of the database. ``now`` means the same in the other classes of this module."""
    ahead: float
    """Number of seconds by which the database's clock is ahead of this host's; negative: behind it."""
    runs: Sequence[WorkerRun]


@attrs.frozen(kw_only=True)
class OutboxRows:
    """An outbox and its parked rows."""

    alias: str
    now: datetime
    oldest: datetime
    """The time at which the oldest row was written; ``now`` if the outbox is empty."""
    parked: Sequence[tuple[str, datetime]]
    """
    Topic of each parked row, and the time at which it was parked. At most :data:`MOST_COUNTED` rows, those with the
    lowest ids, because the time has no index.
    """


@attrs.frozen(kw_only=True)
class LetterRows:
    """The dead letters."""

    alias: str
    now: datetime
    failed: Sequence[datetime]
    """The time of each letter's last failure, the oldest first; at most :data:`MOST_COUNTED`."""
    new: Counter[str]
    """
    Group → number of its letters whose last failure is less than :data:`DEAD_LETTERS_AFTER` ago. At most
    :data:`MOST_COUNTED` letters are counted in total. Empty if every letter in the table has failed that recently.
    """


@attrs.frozen(kw_only=True)
class PauseRows:
    """The paused receivers."""

    now: datetime
    paused: Sequence[tuple[str, datetime]]
    """Receivers and the beginnings of their pauses, the oldest first; at most :data:`MOST_COUNTED`."""


def questions(outboxes: Iterable[str], runs: Sequence[WorkerRun] | None = None) -> Questions:
    """
    Return the questions to the databases. An answer is None if a table is missing, or this kind of database is not
    supported. ``outboxes``: aliases of the databases whose outbox is read. ``runs``: workers and relays; None: read
    them from the heartbeats.
    """
    clock_of = cache(_clock_of)  # each database is asked once
    return {
        HEARTBEATS: (database_of(Heartbeat), lambda: _heartbeats(runs, clock_of)),
        **{outbox_of(alias): (f"database {alias}", partial(_outbox, alias, clock_of)) for alias in outboxes},
        LETTERS: (database_of(DeadLetter), lambda: _letters(clock_of)),
        PAUSES: (database_of(PausedReceiver), lambda: _pauses(clock_of)),
    }


def outbox_of(alias: str) -> str:
    """Return the name of the question for the outbox of a database."""
    return f"{OF_OUTBOX}{alias}"


OF_OUTBOX = "outbox of "
"""The beginning of the names of questions for outboxes."""


def database_of(model: type[models.Model]) -> str:
    """Return the name of the database to which a model is written, for :attr:`Unanswered.server`."""
    try:
        return f"database {router.db_for_write(model)}"
    except Exception as error:  # noqa: BLE001 routers may raise anything: the question raises it again
        let_through(error)
        return "database that no router knows"


def alias_with(model: type[models.Model]) -> str | None:
    """
    Return the alias of the database to which rows of a model are written. Return None if this database lacks the table,
    or if this kind of database is not supported. Raises a database error.
    """
    connection = connections[router.db_for_write(model)]
    return str(connection.alias) if connection.vendor in VENDORS and were_found(connection, model) else None


def _heartbeats(known: Sequence[WorkerRun] | None, clock_of: _Clock) -> Beats | None:
    """Read the database's clock. Also read the heartbeats, unless ``known`` contains them. Raises a database error."""
    alias = alias_with(Heartbeat)
    if alias is None:
        return None
    now, ahead = clock_of(alias)
    return Beats(alias=alias, now=now, ahead=ahead, runs=workers() if known is None else known)


def _outbox(alias: str, clock_of: _Clock) -> OutboxRows | None:
    """Read the state of an outbox; None: it is missing, or the database is not supported. Raises a database error."""
    connection = connections[alias]
    if connection.vendor not in VENDORS or not were_found(connection, OutboxRecord, ParkedRecord):
        return None
    now, _ = clock_of(alias)
    created = OutboxRecord.objects.using(alias).order_by("pk").values_list("created", flat=True).first()
    parked = ParkedRecord.objects.using(alias).order_by("pk").values_list("topic", "parked_at")[:MOST_COUNTED]
    return OutboxRows(
        alias=alias,
        now=now,
        oldest=now if created is None else _moment(created),
        parked=[(topic, _moment(since)) for topic, since in parked],
    )


def _letters(clock_of: _Clock) -> LetterRows | None:
    """Read the dead letters. If none is older than :data:`DEAD_LETTERS_AFTER`, only an index of times is read."""
    alias = alias_with(DeadLetter)
    if alias is None:
        return None
    now, letters = clock_of(alias)[0], DeadLetter.objects.using(alias)
    times: Any = letters.order_by("last_failed_at").values_list("last_failed_at", flat=True)
    failed, new, day_ago = list(times[:MOST_COUNTED]), Counter[str](), now - DEAD_LETTERS_AFTER
    if failed and failed[0] < day_ago:
        groups: Any = letters.order_by().filter(last_failed_at__gt=day_ago).values_list("group", flat=True)
        new.update(groups[:MOST_COUNTED])
    return LetterRows(alias=alias, now=now, failed=failed, new=new)


def _pauses(clock_of: _Clock) -> PauseRows | None:
    alias = alias_with(PausedReceiver)
    if alias is None:
        return None
    paused = PausedReceiver.objects.using(alias).order_by("paused_at").values_list("receiver", "paused_at")
    return PauseRows(now=clock_of(alias)[0], paused=list(paused[:MOST_COUNTED]))


def _clock_of(alias: str) -> tuple[datetime, float]:
    """
    Return a database's present time, and the seconds by which its clock is ahead of this host's; negative: behind it.
    """
    before, milliseconds = time(), database_now(alias)
    there = milliseconds / 1000
    return _moment(milliseconds), there - min(max(there, before), time())  # its clock was read between these two


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
