"""Fills the tables of all pages of Django's admin with the given amounts of data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import uuid4

import attrs
from django.db import connections, models

from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import (
    DeadLetter,
    Heartbeat,
    HistoryRow,
    LetterState,
    OutboxRecord,
    ParkedRecord,
    ReplayRequest,
    RequestedLetter,
    RequestState,
)
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.history import HOUR, MINUTE, QUARTER, Line, row_id
from tests.support.states import RelayOf, consumer_state

_OUTCOMES = ("delivered", "relayed", "received", "done", "retried", "dead-lettered", "parked")
_BY_DJANGO = 1_000
"""The maximal number of outbox rows that Django creates. The database creates further rows by copying these."""
_ROW = {"shard": 1, "key": b"k", "body": b"v", "headers": b"", "schema_id": 1, "size": 2}


@attrs.frozen(kw_only=True)
class Amounts:
    """
    Amounts of data. Each worker has ``partitions`` partitions. The history has ``event_types`` types of events, and
    covers ``days`` days.
    """

    workers: int = 3
    relays: int = 1
    partitions: int = 3
    event_types: int = 2
    days: int = 7
    every: int = 7
    """The interval in minutes at which the history has counts."""
    letters: int = 20
    outbox: int = 50
    parked: int = 12
    requests: int = 3


def fill(alias: str, amounts: Amounts) -> None:
    """Write rows into the tables of a database."""
    now = database_now(alias)
    for rows in (
        _heartbeats(now, amounts),
        _history(now, amounts),
        _letters(amounts),
        _waiting(now, amounts),
        _parked(now, amounts),
    ):
        _write(alias, rows)
    _double(alias, amounts.outbox)
    _request(alias, now, amounts)


def near_deletion() -> None:
    """Make one dead letter so old that it is soon deleted."""
    oldest, kept = DeadLetter.objects.earliest("last_failed_at"), timedelta(days=settings.retention)
    DeadLetter.objects.filter(pk=oldest.pk).update(last_failed_at=datetime.now(UTC) - kept + timedelta(days=1))


def _double(alias: str, count: int) -> None:
    """Copy rows of the outbox inside the database until it has ``count`` rows."""
    quote = connections[alias].ops.quote_name
    fields = [field for field in OutboxRecord._meta.concrete_fields if not field.primary_key]
    table, columns = OutboxRecord._meta.db_table, ", ".join(quote(str(field.column)) for field in fields)
    there = min(count, _BY_DJANGO)
    while there < count:
        more = min(there, count - there)
        with connections[alias].cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM (SELECT {columns} FROM {table} LIMIT {more}) r"
            )
        there += more


def _write(alias: str, rows: Iterator[models.Model]) -> None:
    while several := list(islice(rows, 5_000)):
        type(several[0])._default_manager.using(alias).bulk_create(several)


def _heartbeats(now: int, amounts: Amounts) -> Iterator[Heartbeat]:
    common: dict[str, Any] = {"service": "credentials", "version": "0.1.0", "period": 10.0, "beat_at": now - 3_000}
    (partition,) = consumer_state().partitions
    for number in range(amounts.workers):
        partitions = tuple(
            attrs.evolve(
                partition, partition=number * amounts.partitions + index, full_because="" if index else "t:0:8"
            )
            for index in range(amounts.partitions)
        )
        changes: dict[str, Any] = {} if number == 0 else {"slow_receivers": (), "obstacles": (), "open_circuits": ()}
        state = attrs.asdict(consumer_state(partitions=partitions, **changes))
        yield Heartbeat(
            id=uuid4(),
            kind="consumer",
            host="worker",
            pid=100 + number,
            group="mail" if number % 2 == 0 else "credentials",
            topics=["prod-certificates"],
            started_at=now - 3_600_000 * (number + 1),
            state=json.loads(json.dumps(state)),
            **common,
        )
    for number in range(amounts.relays):
        state = attrs.asdict(RelayOf.last) if RelayOf.last else {}
        about: dict[str, Any] = {"kind": "relay", "host": "relay", "pid": 200 + number, "group": "", "topics": []}
        state = json.loads(json.dumps(state))
        yield Heartbeat(id=uuid4(), started_at=now - 60_000, state=state, **about, **common)


def _history(now: int, amounts: Amounts) -> Iterator[HistoryRow]:
    """
    Yield rows of the history as they are after the housekeeping has combined rows. Old rows cover hours, later rows
    cover quarters of an hour, and the newest rows cover minutes.
    """
    minute, quarter, hour = MINUTE * 1000, QUARTER * 1000, HOUR * 1000
    this_hour = now - now % hour
    minutes, quarters = now - now % quarter - 3 * hour, this_hour - 25 * hour
    for begins in range(this_hour - amounts.days * 24 * hour, quarters, hour):
        yield from _counted(begins, HOUR, amounts)
    for begins in range(quarters, minutes, max(quarter, amounts.every * minute)):
        yield from _counted(begins, QUARTER, amounts)
    for begins in range(minutes, now, amounts.every * minute):
        yield from _counted(begins, MINUTE, amounts)


def _counted(begins: int, span: int, amounts: Amounts) -> Iterator[HistoryRow]:
    wave = (begins // (MINUTE * 1000)) % 23 + 3
    for number in range(amounts.event_types):
        event_type = f"org.openedx.learning.certificate.created.v{number + 1}"
        for outcome in _OUTCOMES:
            count = wave * span // MINUTE if outcome not in _OUTCOMES[4:] else max(wave - 22, 0)
            yield _row(begins, span, event_type, "", outcome, count)
        for receiver in ("award", "mail"):
            yield _row(begins, span, event_type, f"credentials.receivers.{receiver}", "done", wave)


def _row(begins: int, span: int, event_type: str, receiver: str, outcome: str, count: int) -> HistoryRow:
    line = Line(service="credentials", event_type=event_type, receiver=receiver, outcome=outcome)
    sums = {"count": count, "seconds": count * 0.3, "longest": 1.5}
    return HistoryRow(id=row_id(line, span, begins), span=span, begins=begins, **attrs.asdict(line), **sums)


def _letters(amounts: Amounts) -> Iterator[DeadLetter]:
    now = datetime.now(UTC)
    for number in range(amounts.letters):
        failed_at = now - timedelta(minutes=number % 40_000)
        failures = [{"receiver": "credentials.receivers.award", "error": "ValueError", "place": "receivers.py:7"}]
        yield DeadLetter(
            group="mail",
            topic="prod-certificates",
            partition=number % 12,
            offset=number,
            timestamp=1,
            key=b"k",
            value=b"v",
            headers=[],
            event_type="org.openedx.learning.certificate.created.v1",
            event_id=str(uuid4()),
            failures=failures,
            attempts=5,
            first_failed_at=failed_at,
            last_failed_at=failed_at,
        )


def _request(alias: str, now: int, amounts: Amounts) -> None:
    """
    Write replay requests for a group that has no workers. Each request has as many dead letters as a worker has
    partitions.
    """
    wish: dict[str, Any] = {"receiver": "", "instead_of": "", "stop_after": 20, "requested_by": "anna", "reason": "why"}
    state: dict[str, Any] = {"state": RequestState.REQUESTED, "note": "", "worker": "", "requested_at": now}
    for _ in range(amounts.requests):
        request = ReplayRequest.objects.using(alias).create(group="nobody", receivers=["app.award"], **wish, **state)
        RequestedLetter.objects.using(alias).add(
            RequestedLetter(
                request=request,
                number=number,
                letter=number,
                topic="prod-certificates",
                partition=0,
                offset=number,
                failed_at=datetime.now(UTC),
                state=LetterState.FAILED if number else LetterState.WAITING,
                error="app.award: ValueError",
            )
            for number in range(amounts.partitions)
        )


def _waiting(now: int, amounts: Amounts) -> Iterator[OutboxRecord]:
    for number in range(min(amounts.outbox, _BY_DJANGO)):
        yield OutboxRecord(topic=f"prod-{number % 5}", created=now - 400_000, **_ROW)


def _parked(now: int, amounts: Amounts) -> Iterator[ParkedRecord]:
    for number in range(amounts.parked):
        code = "MSG_SIZE_TOO_LARGE" if number % 2 else "TOPIC_AUTHORIZATION_FAILED"
        yield ParkedRecord(
            id=10_000_000 + number,
            topic=f"prod-{number % 3}",
            code=code,
            reason="Kafka refused it: the record is larger than the topic takes" if number % 2 else "no right WRITE",
            parked_at=now - 86_400_000 + number,
            created=now - 90_000_000,
            **_ROW,
        )
