"""Neglects that the service's own tables tell, by a few cheap statements. Imported only where the app is installed."""

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
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.catalogue import Neglect
from event_bus_kafka.operations.workers import WorkerRun, workers

_AT_MOST = 1_000
"""Rows that are looked at to count them, or to find the oldest where there is no index."""


def neglects(*, outboxes: Collection[str], retention: float) -> list[Neglect]:
    """
    Return what is neglected, in the order of the catalogue. No statement counts a whole table; ages are by the clock of
    each database; a table that is missing tells nothing.

    ``outboxes``: aliases of the databases whose outbox is looked at; ``retention``: days for which dead letters and
    parked rows are kept. Raises a database error.
    """
    runs = workers() if _alias_with(Heartbeat) else None
    found = [
        *(one for alias in outboxes for one in of_outbox(alias, runs or (), retention=retention)),
        *of_dead_letters(retention),
        *of_runs(runs or ()),
        *of_pauses(),
        *of_clock(),
    ]
    return sorted(found, key=lambda one: catalogue.CATALOGUE.index(one.kind))


def of_outbox(alias: str, runs: Sequence[WorkerRun], *, retention: float) -> Iterator[Neglect]:
    """Look at one database's outbox, and at what was parked there. Raises a database error."""
    connection = connections[alias]
    if connection.vendor not in VENDORS or not has_tables(connection, OutboxRecord, ParkedRecord):
        return
    now = database_now(alias)
    created = OutboxRecord.objects.using(alias).order_by("pk").values_list("created", flat=True).first()
    if created is not None and now - created > _milliseconds(catalogue.OUTBOX_AFTER):
        why_not = _relay_of(alias, runs)
        if why_not:
            message = f"The oldest row has waited for {_span((now - created) / 1000)}; {why_not}."
            yield Neglect(kind=catalogue.OUTBOX_WAITS, subject=alias, message=message, since=_moment(created))
    end = now - _milliseconds(_limit(retention))
    oldest = ParkedRecord.objects.using(alias).order_by("pk")[:_AT_MOST]  # without an index of times: about the oldest
    times = sorted(one for one in oldest.values_list("parked_at", flat=True) if one < end)
    if times:
        message = f"{_number(len(times))} parked row{_s(times)} will be deleted, from {_day(_moment(times[0]), retention)} on."
        yield Neglect(kind=catalogue.PARKED_ROWS_END, subject=alias, message=message, since=_moment(times[0]))


def of_dead_letters(retention: float) -> Iterator[Neglect]:
    """Look at the table of dead letters. Raises a database error."""
    alias = _alias_with(DeadLetter)
    if alias is None:
        return
    letters: Any = DeadLetter.objects.using(alias)
    now = _moment(database_now(alias))
    ages = letters.aggregate(first=Min("last_failed_at"), last=Max("last_failed_at"))
    if ages["first"] is None:
        return
    day_ago = now - catalogue.DEAD_LETTERS_AFTER
    if ages["first"] < day_ago < ages["last"]:
        new = letters.filter(last_failed_at__gt=day_ago).order_by().values_list("group", flat=True)[:_AT_MOST]
        groups = Counter(new)
        names = ", ".join(name for name, _ in groups.most_common(3))
        message = (
            f"{_number(groups.total())} came within the last day (group{_s(groups)} {names}), and the oldest has waited "
            f"for {_span((now - ages['first']).total_seconds())}."
        )
        yield Neglect(kind=catalogue.DEAD_LETTERS_GROW, subject=alias, message=message, since=ages["first"])
    if ages["first"] < now - _limit(retention):
        near = letters.filter(last_failed_at__lt=now - _limit(retention)).order_by().values_list("pk")[:_AT_MOST]
        count = len(near)
        message = f"{_number(count)} dead letter{'s' * (count > 1)} will be deleted, from {_day(ages['first'], retention)} on."
        yield Neglect(kind=catalogue.DEAD_LETTERS_END, subject=alias, message=message, since=ages["first"])


def of_runs(runs: Sequence[WorkerRun]) -> Iterator[Neglect]:
    """Look at what workers and relays have told of themselves."""
    for run in runs:
        if run.kind == "relay" and run.liveness == "alive":
            yield from _held_topics(run)
    alive = {run.group for run in runs if run.kind == "consumer" and run.liveness == "alive"}
    seen: set[str] = set()
    for run in runs:  # the latest start first
        if run.kind != "consumer" or run.group in alive | seen:
            continue
        seen.add(run.group)
        lag = sum(one["lag"] or 0 for one in run.state.get("partitions", ()))
        if lag:
            ended = "died" if run.liveness == "dead" else "ended"
            message = f"Its last worker {ended} {_span(run.silence)} ago and knew of {lag} records to read."
            since = datetime.now(UTC) - timedelta(seconds=run.silence)
            yield Neglect(kind=catalogue.GROUP_WITHOUT_WORKER, subject=run.group, message=message, since=since)


def of_pauses() -> Iterator[Neglect]:
    """Look at the paused receivers. Raises a database error."""
    alias = _alias_with(PausedReceiver)
    if alias is None:
        return
    now = _moment(database_now(alias))
    paused = PausedReceiver.objects.using(alias).filter(paused_at__lt=now - catalogue.PAUSED_AFTER)
    for one in paused.order_by("paused_at")[:_AT_MOST]:
        message = f"It has been paused for {_span((now - one.paused_at).total_seconds())}."
        yield Neglect(kind=catalogue.RECEIVER_PAUSED, subject=one.receiver, message=message, since=one.paused_at)


def of_clock() -> Iterator[Neglect]:
    """Compare this host's clock with that of the database which heartbeats are in. Raises a database error."""
    alias = router.db_for_write(Heartbeat)
    if connections[alias].vendor not in VENDORS:
        return
    database_now(alias)  # opens the connection, which may take long
    before = time()
    there = database_now(alias) / 1000
    after = time()
    ahead = min(there - before, there - after, key=abs) if (there - before) * (there - after) > 0 else 0.0
    if abs(ahead) > catalogue.CLOCK_OFF_BY.total_seconds():
        message = (
            f"The clock of this host is {_span(abs(ahead))} {'behind' if ahead > 0 else 'ahead of'} the database's."
        )
        yield Neglect(kind=catalogue.CLOCK_OFF, subject=alias, message=message)


def _relay_of(alias: str, runs: Sequence[WorkerRun]) -> str:
    """Say why no relay works off the outbox of a database; empty where one does."""
    relays = [run for run in runs if run.kind == "relay" and run.state.get("database") == alias]
    alive = [run for run in relays if run.liveness == "alive"]
    if not alive:
        return "no relay is known to run"
    if any(run.state.get("is_alive") and not run.state.get("obstacles") for run in alive):
        return ""
    return (
        f"the relay {alive[0].host}:{alive[0].pid} cannot send: {'; '.join(alive[0].state['obstacles']) or 'it hangs'}"
    )


def _held_topics(run: WorkerRun) -> Iterator[Neglect]:
    for held in run.state.get("held_topics", ()):
        if held["seconds"] > catalogue.HELD_AFTER.total_seconds():
            message = f"The relay {run.host}:{run.pid} has held it for {_span(held['seconds'])}: {held['reason']}."
            since = datetime.now(UTC) - timedelta(seconds=run.silence + held["seconds"])
            yield Neglect(kind=catalogue.TOPIC_HELD, subject=held["topic"], message=message, since=since)


def _alias_with(model: type[models.Model]) -> str | None:
    """Return the alias that a model is written to, if the table is there. Raises a database error."""
    connection = connections[router.db_for_write(model)]
    return connection.alias if connection.vendor in VENDORS and has_tables(connection, model) else None


def _limit(retention: float) -> timedelta:
    """Return the age from which on a row is near its end."""
    kept = timedelta(days=retention)
    return kept - min(catalogue.NEAR_THE_END, kept * catalogue.NEAR_THE_END_SHARE)


def _day(since: datetime, retention: float) -> str:
    return f"{since + timedelta(days=retention):%Y-%m-%d}"


def _number(count: int) -> str:
    return f"{count} or more" if count >= _AT_MOST else str(count)


def _s(several: Collection[object]) -> str:
    return "s" * (len(several) > 1)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _milliseconds(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


def _span(seconds: float) -> str:
    """Return a time in the largest unit of which there are two."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{seconds:.0f} second{'s' * (round(seconds) != 1)}"
