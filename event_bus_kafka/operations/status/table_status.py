"""Reads the status of the bus from the service's tables. Import this module only if the app is installed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections, models, router
from django.db.models import Max, Min

from event_bus_kafka.models import DeadLetter, HistoryRow, PausedReceiver
from event_bus_kafka.models.database_time import VENDORS, database_now
from event_bus_kafka.models.history import MINUTE
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.operations.neglects import in_tables as neglects
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED
from event_bus_kafka.operations.status.values import (
    DeadLetterStatus,
    LastHour,
    OutboxStatus,
    OwnBus,
    PausedStatus,
    TableStatus,
)
from event_bus_kafka.outbox import backlog
from event_bus_kafka.outbox.backlog import BriefBacklog

_MINUTES = 60


def look(own: OwnBus) -> TableStatus:
    """Return the part of the status that the tables hold. Raises a database error."""
    runs = neglects.runs_told()
    outboxes = [one for one in own.outboxes if connections[one].vendor in VENDORS]
    return TableStatus(
        workers=tuple(runs),
        outboxes=tuple(_outbox(one) for one in outboxes if backlog.is_migrated(connections[one])),
        dead_letters=_dead_letters(),
        paused=_paused(),
        last_hour=_last_hour(),
        neglects=tuple(neglects.neglects(outboxes=outboxes, retention=own.retention)),
    )


def _outbox(alias: str) -> OutboxStatus:
    found = BriefBacklog.read(connections[alias])
    return OutboxStatus(database=alias, rows=dict(found.depth), oldest_seconds=found.oldest_age, parked=found.parked)


def _dead_letters() -> DeadLetterStatus | None:
    alias = _alias_with(DeadLetter)
    if alias is None:
        return None
    letters: Any = DeadLetter.objects.using(alias).order_by()
    ages = letters.aggregate(oldest=Min("last_failed_at"), newest=Max("last_failed_at"))
    count = len(letters.values_list("pk")[:MOST_COUNTED])
    return DeadLetterStatus(count=count, oldest=ages["oldest"], newest=ages["newest"])


def _paused() -> tuple[PausedStatus, ...]:
    alias = _alias_with(PausedReceiver)
    if alias is None:
        return ()
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
