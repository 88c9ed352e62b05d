"""
Finds neglects in the service's tables with a few cheap SQL statements. Import this module only if the app is installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from time import time
from typing import Any

import attrs
from django.db import connections, models, router
from django.db.models import Max, Min

from event_bus_kafka.interruptions import let_through
from event_bus_kafka.models import DeadLetter, Heartbeat, OutboxRecord, ParkedRecord, PausedReceiver
from event_bus_kafka.models.database_time import VENDORS, database_now
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.catalogue import Neglect, Neglected, NeglectKind, OwnTables
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED, number, span
from event_bus_kafka.operations.status.asking import Ask, Questions, Unanswered, ask_all, each_once, here
from event_bus_kafka.operations.workers import WorkerRun, workers

HEARTBEATS, LETTERS, PAUSES = "heartbeats", "dead letters", "pauses"
_Clock = Callable[[str], tuple[datetime, float]]
_KINDS = {
    HEARTBEATS: (catalogue.TOPIC_HELD, catalogue.GROUP_WITHOUT_WORKER, catalogue.CLOCK_OFF),
    LETTERS: (catalogue.DEAD_LETTERS_GROW, catalogue.DEAD_LETTERS_END),
    PAUSES: (catalogue.RECEIVER_PAUSED,),
}
_OF_OUTBOX = (catalogue.OUTBOX_WAITS, catalogue.PARKED_ROWS_END)
_OF_RUNS = (catalogue.OUTBOX_WAITS, catalogue.TOPIC_HELD, catalogue.GROUP_WITHOUT_WORKER)


@attrs.frozen(kw_only=True)
class Beats:
    """The heartbeats, the present time of their database (``now``), and neglects of its clock (``clock``)."""

    runs: Sequence[WorkerRun]
    now: datetime
    clock: tuple[Neglect, ...] = ()


@attrs.frozen(kw_only=True)
class _Outbox:
    """An outbox, with the present time of its database (``now``), and the neglects of its parked rows (``parked``)."""

    alias: str
    now: datetime
    oldest: datetime
    """The time at which the oldest row was written; ``now`` if the outbox is empty."""
    parked: tuple[Neglect, ...]


def neglects(
    *, outboxes: Collection[str], own: OwnTables, runs: Sequence[WorkerRun] | None = None, ask: Ask = here
) -> Neglected:
    """
    Return the neglects in all databases that answer. No statement counts a whole table. Each age is measured with the
    clock of the row's database. A missing table yields no neglect.

    ``outboxes``: aliases of the databases whose outbox is checked. ``runs``: workers and relays; None: read them from
    the heartbeats. ``ask``: asks a database; by default, one database after the other, in this thread.
    """
    return neglected(ask_all(questions(outboxes, own, runs), ask), own)


def questions(outboxes: Iterable[str], own: OwnTables, runs: Sequence[WorkerRun] | None = None) -> Questions:
    """Return the questions whose answers :func:`neglected` needs."""
    clock_of = cache(_clock_of)  # each database is asked once
    return {
        HEARTBEATS: (database_of(Heartbeat), lambda: _heartbeats(runs, clock_of)),
        **{
            outbox_of(alias): (f"database {alias}", partial(_outbox, alias, own.retention, clock_of))
            for alias in outboxes
        },
        LETTERS: (database_of(DeadLetter), lambda: _dead_letters(own, clock_of)),
        PAUSES: (database_of(PausedReceiver), lambda: _pauses(clock_of)),
    }


def neglected(answers: Mapping[str, Any], own: OwnTables) -> Neglected:
    """
    Find neglects in the answers to :func:`questions`. Other answers are ignored. The kinds of neglect that a table
    shows are unknown if the table is missing, its database did not answer, or the kinds need heartbeats and ``own`` has
    none.
    """
    outboxes = {name: one for name, one in answers.items() if name.startswith(_OUTBOX)}
    mine = {name: answers[name] for name in (*_KINDS, *outboxes)}
    silent = [one for one in mine.values() if isinstance(one, Unanswered)]
    runs = _runs(mine[HEARTBEATS]) if own.heartbeats else None
    unknown = {kind for name, one in mine.items() if _is_unknown(one) for kind in _kinds(name)}
    unknown |= set() if runs is not None else {*_OF_RUNS}
    beats = mine[HEARTBEATS]
    found = [one for told in mine.values() if isinstance(told, list) for one in told]
    if isinstance(beats, Beats):
        found += [*beats.clock, *_held_topics(runs or (), beats.now), *_ended_groups(runs or (), beats.now)]
    for outbox in outboxes.values():
        if isinstance(outbox, _Outbox):
            found += [*outbox.parked, *(_waiting_rows(outbox, runs) if runs is not None else ())]
    return Neglected(neglects=in_order(found), unknown=frozenset(unknown), unanswered=each_once(silent))


def in_order(found: Iterable[Neglect]) -> tuple[Neglect, ...]:
    """Sort neglects in the order of the catalogue."""
    return tuple(sorted(found, key=lambda one: catalogue.CATALOGUE.index(one.kind)))


def outbox_of(alias: str) -> str:
    """Return the name of the question for the outbox of a database."""
    return f"{_OUTBOX}{alias}"


_OUTBOX = "outbox of "


def database_of(model: type[models.Model]) -> str:
    """Return the name of the database to which a model is written, for :attr:`Unanswered.server`."""
    try:
        return f"database {router.db_for_write(model)}"
    except Exception as error:  # noqa: BLE001 routers may raise anything: the question raises it again
        let_through(error)
        return "database that no router knows"


def _is_unknown(answer: object) -> bool:
    return answer is None or isinstance(answer, Unanswered)


def _kinds(question: str) -> tuple[NeglectKind, ...]:
    return _KINDS.get(question, _OF_OUTBOX)


def _runs(beats: Beats | Unanswered | None) -> Sequence[WorkerRun] | None:
    """Return the workers and relays; empty: the table of heartbeats is missing; None: the database did not answer."""
    return beats.runs if isinstance(beats, Beats) else () if beats is None else None


def _heartbeats(known: Sequence[WorkerRun] | None, clock_of: _Clock) -> Beats | None:
    """Read the database's clock. Also read the heartbeats, unless ``known`` contains them. Raises a database error."""
    alias = _alias_with(Heartbeat)
    if alias is None:
        return None
    now, ahead = clock_of(alias)
    return Beats(runs=workers() if known is None else known, now=now, clock=tuple(_clock(alias, ahead)))


def _outbox(alias: str, retention: float, clock_of: _Clock) -> _Outbox | None:
    """Read the state of an outbox; None: it is missing, or the database is not supported. Raises a database error."""
    connection = connections[alias]
    if connection.vendor not in VENDORS or not were_found(connection, OutboxRecord, ParkedRecord):
        return None
    now, _ = clock_of(alias)
    created = OutboxRecord.objects.using(alias).order_by("pk").values_list("created", flat=True).first()
    return _Outbox(
        alias=alias,
        now=now,
        oldest=now if created is None else _moment(created),
        parked=tuple(_parked_rows(alias, now, retention)),
    )


def _clock_of(alias: str) -> tuple[datetime, float]:
    """
    Return a database's present time, and the seconds by which its clock is ahead of this host's; negative: behind it.
    """
    before, milliseconds = time(), database_now(alias)
    there = milliseconds / 1000
    return _moment(milliseconds), there - min(max(there, before), time())  # its clock was read between these two


def _waiting_rows(outbox: _Outbox, runs: Sequence[WorkerRun]) -> Iterator[Neglect]:
    waited = outbox.now - outbox.oldest
    if waited > catalogue.OUTBOX_AFTER and (why := _why_unsent(outbox.alias, runs)):
        message = f"The oldest row has waited for {span(waited.total_seconds())}; {why}."
        yield Neglect(kind=catalogue.OUTBOX_WAITS, subject=outbox.alias, message=message, since=outbox.oldest)


def _why_unsent(alias: str, runs: Sequence[WorkerRun]) -> str:
    """Return why no relay sends the rows of a database's outbox; empty: a relay sends them."""
    relays = [run for run in runs if run.kind == "relay" and run.state["database"] == alias and run.is_alive]
    if not relays:
        return "no relay is known to run"
    if any(run.state["is_alive"] and not run.state["obstacles"] for run in relays):
        return ""
    obstacles = "; ".join(relays[0].state["obstacles"]) or "it hangs"
    return f"the relay {relays[0].host}:{relays[0].pid} cannot send: {obstacles}"


def _parked_rows(alias: str, now: datetime, retention: float) -> Iterator[Neglect]:
    """
    Yield a neglect if parked rows are near their deletion. Only the rows with the lowest ids are read, because
    ``parked_at`` has no index.
    """
    oldest = ParkedRecord.objects.using(alias).order_by("pk").values_list("parked_at", flat=True)[:MOST_COUNTED]
    near = sorted(since for since in map(_moment, oldest) if since < now - _nearly(retention))
    if near:
        message = f"{number(len(near), 'parked row')} will be deleted, from {_last_day(near[0], retention)} on."
        yield Neglect(kind=catalogue.PARKED_ROWS_END, subject=alias, message=message, since=near[0])


def _dead_letters(own: OwnTables, clock_of: _Clock) -> list[Neglect] | None:
    alias = _alias_with(DeadLetter)
    return None if alias is None else list(_of_letters(alias, clock_of(alias)[0], own))


def _of_letters(alias: str, now: datetime, own: OwnTables) -> Iterator[Neglect]:
    letters: Any = DeadLetter.objects.using(alias).order_by()
    ages = letters.aggregate(first=Min("last_failed_at"), last=Max("last_failed_at"))
    first, day_ago = ages["first"], now - catalogue.DEAD_LETTERS_AFTER
    if first is None:
        return
    if first < day_ago < ages["last"]:
        new = Counter(letters.filter(last_failed_at__gt=day_ago).values_list("group", flat=True)[:MOST_COUNTED])
        groups = ", ".join(name for name, _ in new.most_common(3))
        message = (
            f"{number(new.total(), 'dead letter')} came within the last day, of {groups}; the oldest has waited for "
            f"{_age(first, now)}."
        )
        yield Neglect(kind=catalogue.DEAD_LETTERS_GROW, subject=alias, message=message, since=first)
    if not own.letters_expire or first >= (limit := now - _nearly(own.retention)):
        return
    near = len(letters.filter(last_failed_at__lt=limit).values_list("pk")[:MOST_COUNTED])
    if near:
        message = f"{number(near, 'dead letter')} will be deleted, from {_last_day(first, own.retention)} on."
        yield Neglect(kind=catalogue.DEAD_LETTERS_END, subject=alias, message=message, since=first)


def _pauses(clock_of: _Clock) -> list[Neglect] | None:
    alias = _alias_with(PausedReceiver)
    return None if alias is None else list(_of_pauses(alias, clock_of(alias)[0]))


def _of_pauses(alias: str, now: datetime) -> Iterator[Neglect]:
    paused = PausedReceiver.objects.using(alias).filter(paused_at__lt=now - catalogue.PAUSED_AFTER)
    for one in paused.order_by("paused_at")[:MOST_COUNTED]:
        message = f"It has been paused for {_age(one.paused_at, now)}."
        yield Neglect(kind=catalogue.RECEIVER_PAUSED, subject=one.receiver, message=message, since=one.paused_at)


def _held_topics(runs: Sequence[WorkerRun], now: datetime) -> Iterator[Neglect]:
    for run in runs:
        for held in run.state.get("held_topics", ()) if run.is_alive else ():
            if held["seconds"] > catalogue.HELD_AFTER.total_seconds():
                since = now - timedelta(seconds=run.silence + held["seconds"])
                message = f"The relay {run.host}:{run.pid} has held it for {_age(since, now)}: {held['reason']}."
                yield Neglect(kind=catalogue.TOPIC_HELD, subject=held["topic"], message=message, since=since)


def _ended_groups(runs: Sequence[WorkerRun], now: datetime) -> Iterator[Neglect]:
    consumers = [run for run in runs if run.kind == "consumer"]
    alive = {run.group for run in consumers if run.is_alive}
    last = {run.group: run for run in reversed(consumers) if run.group not in alive}  # of several, the latest
    for group, run in last.items():
        lag = sum(one["lag"] or 0 for one in run.state["partitions"])
        if lag:
            how, since = "died" if run.liveness == "dead" else "ended", now - timedelta(seconds=run.silence)
            message = f"Its last worker {how} {span(run.silence)} ago and knew of {lag} records to read."
            yield Neglect(kind=catalogue.GROUP_WITHOUT_WORKER, subject=group, message=message, since=since)


def _clock(alias: str, ahead: float) -> Iterator[Neglect]:
    if abs(ahead) > catalogue.CLOCK_OFF_BY.total_seconds():
        way = "behind" if ahead > 0 else "ahead of"
        message = f"The clock of this host is {span(abs(ahead))} {way} the database's."
        yield Neglect(kind=catalogue.CLOCK_OFF, subject=alias, message=message)


def _alias_with(model: type[models.Model]) -> str | None:
    """
    Return the alias of the database to which rows of a model are written. Return None if this database lacks the table,
    or if this kind of database is not supported. Raises a database error.
    """
    connection = connections[router.db_for_write(model)]
    return str(connection.alias) if connection.vendor in VENDORS and were_found(connection, model) else None


def _nearly(retention: float) -> timedelta:
    """
    Return the age at which a row begins to count as near its deletion. ``retention``: days for which rows are kept.
    """
    kept = timedelta(days=retention)
    return kept - min(catalogue.NEAR_THE_END, kept * catalogue.NEAR_THE_END_SHARE)


def _last_day(since: datetime, retention: float) -> str:
    return f"{since + timedelta(days=retention):%Y-%m-%d}"


def _age(since: datetime, now: datetime) -> str:
    return span((now - since).total_seconds())


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
