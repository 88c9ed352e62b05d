"""Reads the status of the bus from the service's tables. Import this module only if the app is installed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs
from django.db import connections, models, router
from django.db.models import Max, Min

from event_bus_kafka.models import DeadLetter, HistoryRow, PausedReceiver
from event_bus_kafka.models.database_time import VENDORS, database_now
from event_bus_kafka.models.history import MINUTE
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.operations.neglects import in_tables, reading
from event_bus_kafka.operations.neglects.catalogue import Neglected
from event_bus_kafka.operations.neglects.reading import Beats, database_of
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED
from event_bus_kafka.operations.status import checks
from event_bus_kafka.operations.status.asking import Ask, Questions, Unanswered, ask_all, each_once
from event_bus_kafka.operations.status.values import (
    DeadLetterStatus,
    Finding,
    LastHour,
    OutboxStatus,
    OwnBus,
    PausedStatus,
    TableStatus,
)
from event_bus_kafka.outbox import backlog
from event_bus_kafka.outbox.backlog import BriefBacklog

_MINUTES = 60
_PARTS = ("dead_letters", "paused", "last_hour")
NO_HEARTBEATS = "EVENT_BUS_KAFKA_HEARTBEAT = 0"
"""The reason why nobody knows whether workers and relays run."""


@attrs.frozen(kw_only=True)
class TablesLook:
    """The status, the neglects and the findings from the service's tables."""

    status: TableStatus
    neglected: Neglected
    unanswered: tuple[Unanswered, ...]
    findings: tuple[Finding, ...]


def look(own: OwnBus, ask: Ask, *, check: bool) -> TablesLook:
    """
    Read the tables in all databases. ``ask``: function that asks a database. ``check``: also search for missing
    migrations.
    """
    answers = ask_all(_questions(own, check=check), ask)
    beats = answers[reading.HEARTBEATS]
    parts = {name: answers[name] for name in (*_PARTS, *map(_rows_of, own.outboxes))}
    parts["workers"] = tuple(beats.runs) if isinstance(beats, Beats) else beats
    not_known = {name: f"{one.server}: {one.reason}" for name, one in parts.items() if isinstance(one, Unanswered)}
    if not own.tables.heartbeats:
        parts["workers"], not_known["workers"] = None, NO_HEARTBEATS
    known = {name: None if isinstance(one, Unanswered) else one for name, one in parts.items()}
    unknown = [OutboxStatus(database=one, rows=None) for one in own.outboxes if _rows_of(one) in not_known]
    status = TableStatus(
        outboxes=tuple([one for alias in own.outboxes if (one := known.pop(_rows_of(alias)))] + unknown),
        not_known=not_known,
        **known,
    )
    silent = [one for one in answers.values() if isinstance(one, Unanswered)]
    found = [one for name, told in answers.items() if name in _checks(own) and isinstance(told, list) for one in told]
    return TablesLook(
        status=status,
        neglected=in_tables.neglected(answers, own.tables),
        unanswered=each_once(silent),
        findings=tuple(found),
    )


def _questions(own: OwnBus, *, check: bool) -> Questions:
    return {
        **reading.questions(own.outboxes),
        **{_rows_of(alias): (f"database {alias}", partial(_outbox, alias)) for alias in own.outboxes},
        "dead_letters": (database_of(DeadLetter), _dead_letters),
        "paused": (database_of(PausedReceiver), _paused),
        "last_hour": (database_of(HistoryRow), _last_hour),
        **(_checks(own) if check else {}),
    }


def _checks(own: OwnBus) -> Questions:
    def unapplied(alias: str) -> list[Finding]:
        return list(checks.of_databases([alias]))

    return {f"migrations of {one}": (f"database {one}", partial(unapplied, one)) for one in own.outboxes}


def _rows_of(alias: str) -> str:
    return f"rows of {alias}"


def _outbox(alias: str) -> OutboxStatus | None:
    connection = connections[alias]
    if connection.vendor not in VENDORS or not backlog.is_migrated(connection):
        return None
    found = BriefBacklog.read(connection)
    return OutboxStatus(database=alias, rows=dict(found.depth), oldest_seconds=found.oldest_age, parked=found.parked)


def _dead_letters() -> DeadLetterStatus | None:
    alias = _alias_with(DeadLetter)
    if alias is None:
        return None
    letters: Any = DeadLetter.objects.using(alias).order_by()
    ages = letters.aggregate(oldest=Min("last_failed_at"), newest=Max("last_failed_at"))
    count = len(letters.values_list("pk")[:MOST_COUNTED])
    return DeadLetterStatus(count=count, oldest=ages["oldest"], newest=ages["newest"])


def _paused() -> tuple[PausedStatus, ...] | None:
    alias = _alias_with(PausedReceiver)
    if alias is None:
        return None
    rows = PausedReceiver.objects.using(alias).order_by("paused_at", "pk")
    return tuple(PausedStatus(receiver=one.receiver, since=one.paused_at) for one in rows)


def _last_hour() -> LastHour | None:
    alias = _alias_with(HistoryRow)
    if alias is None:
        return None
    now = datetime.fromtimestamp(database_now(alias) / 1000, UTC)
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=_MINUTES)
    begins = round(first.timestamp() * 1000)
    rows = HistoryRow.objects.using(alias).filter(span=MINUTE, begins__gte=begins, receiver="")
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0] * _MINUTES)
    for outcome, at, count in rows.values_list("outcome", "begins").annotate(total=models.Sum("count")):
        minute = (at - begins) // (MINUTE * 1000)
        if minute < _MINUTES:
            counts[outcome][minute] += int(count)
    return LastHour(outcomes={name: tuple(several) for name, several in sorted(counts.items())})


def _alias_with(model: type[models.Model]) -> str | None:
    connection = connections[router.db_for_write(model)]
    return str(connection.alias) if connection.vendor in VENDORS and has_tables(connection, model) else None
