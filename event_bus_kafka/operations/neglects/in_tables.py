"""
Finds neglects in the service's tables with a few cheap SQL statements. Import this module only if the app is installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

from django.db import connections, models, router
from django.db.models import Max, Min

from event_bus_kafka.models import DeadLetter, Heartbeat, OutboxRecord, ParkedRecord, PausedReceiver
from event_bus_kafka.models.database_time import VENDORS, database_now
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.catalogue import Neglect
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED, number, span
from event_bus_kafka.operations.workers import WorkerRun, workers


def neglects(
    *, outboxes: Collection[str], retention: float, runs: Sequence[WorkerRun] | None = None, heartbeats: bool = True
) -> list[Neglect]:
    """
    Return the neglects in the order of the catalogue. Raises a database error.

    No statement counts a whole table. Ages are measured by the clock of each database. For a missing table, no neglects
    are returned. ``outboxes``: aliases of the databases whose outboxes are examined. ``retention``: days for which dead
    letters and parked rows are kept. ``runs``: workers and relays with heartbeats; None: read them from the table.
    ``heartbeats``: False if relays write no heartbeats. It is then unknown whether a relay runs, so no ``outbox-waits``
    is returned.
    """
    runs, clocks = runs_told() if runs is None else runs, _Clocks()
    outbox = [one for alias in outboxes for one in _of_outbox(alias, runs, clocks, retention)]
    outbox = [one for one in outbox if heartbeats or one.kind is not catalogue.OUTBOX_WAITS]
    return in_order([*outbox, *_of_service(runs, clocks, retention)])


def in_order(found: Collection[Neglect]) -> list[Neglect]:
    """Return neglects in the order of the catalogue."""
    return sorted(found, key=lambda one: catalogue.CATALOGUE.index(one.kind))


def runs_told() -> Sequence[WorkerRun]:
    """Return the workers and relays that have heartbeats; an empty list if the table is missing."""
    return workers() if _alias_with(Heartbeat) else []


def _of_outbox(alias: str, runs: Sequence[WorkerRun], clocks: _Clocks, retention: float) -> Iterator[Neglect]:
    """Yield the neglects of one database's outbox and parked rows. Raises a database error."""
    connection = connections[alias]
    if connection.vendor in VENDORS and were_found(connection, OutboxRecord, ParkedRecord):
        now = clocks.now(alias)
        yield from _waiting_rows(alias, now, runs)
        yield from _parked_rows(alias, now, retention)


def _of_service(runs: Sequence[WorkerRun], clocks: _Clocks, retention: float) -> Iterator[Neglect]:
    """Yield the neglects of dead letters, paused receivers, workers, relays and the clock. Raises a database error."""
    if alias := _alias_with(DeadLetter):
        yield from _dead_letters(alias, clocks.now(alias), retention)
    if alias := _alias_with(PausedReceiver):
        yield from _pauses(alias, clocks.now(alias))
    if alias := _alias_with(Heartbeat):
        now = clocks.now(alias)
        yield from _held_topics(runs, now)
        yield from _ended_groups(runs, now)
        yield from _clock(alias, clocks.ahead(alias))


class _Clocks:
    """Cache: the time of each database's clock, which is read once per database."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[datetime, float]] = {}

    def now(self, alias: str) -> datetime:
        """Return the time that the database's clock showed when it was read, timezone-aware."""
        return self._asked(alias)[0]

    def ahead(self, alias: str) -> float:
        """Return the seconds by which the database's clock is ahead of this host's clock; negative: behind."""
        return self._asked(alias)[1]

    def _asked(self, alias: str) -> tuple[datetime, float]:
        if alias not in self._known:
            before, milliseconds = time(), database_now(alias)
            there = milliseconds / 1000
            ahead = there - min(max(there, before), time())  # the database read its clock between these two
            self._known[alias] = _moment(milliseconds), ahead
        return self._known[alias]


def _waiting_rows(alias: str, now: datetime, runs: Sequence[WorkerRun]) -> Iterator[Neglect]:
    created = OutboxRecord.objects.using(alias).order_by("pk").values_list("created", flat=True).first()
    since = now if created is None else _moment(created)
    if now - since > catalogue.OUTBOX_AFTER and (why := _why_unsent(alias, runs)):
        message = f"The oldest row has waited for {_age(since, now)}; {why}."
        yield Neglect(kind=catalogue.OUTBOX_WAITS, subject=alias, message=message, since=since)


def _why_unsent(alias: str, runs: Sequence[WorkerRun]) -> str:
    """Return why no relay sends the rows of a database's outbox; empty if a relay sends them."""
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


def _dead_letters(alias: str, now: datetime, retention: float) -> Iterator[Neglect]:
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
    near = len(letters.filter(last_failed_at__lt=now - _nearly(retention)).values_list("pk")[:MOST_COUNTED])
    if near:
        message = f"{number(near, 'dead letter')} will be deleted, from {_last_day(first, retention)} on."
        yield Neglect(kind=catalogue.DEAD_LETTERS_END, subject=alias, message=message, since=first)


def _pauses(alias: str, now: datetime) -> Iterator[Neglect]:
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
    last = {run.group: run for run in reversed(consumers) if run.group not in alive}  # latest start first
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
    or if its clock cannot be read. Raises a database error.
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
