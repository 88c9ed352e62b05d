"""Fills the tables with rows in which every kind of neglect is found, and searches for neglects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import attrs

from event_bus_kafka.models import DeadLetter, Heartbeat, OutboxRecord, ParkedRecord, PausedReceiver
from event_bus_kafka.operations.neglects import in_tables, reading
from event_bus_kafka.operations.neglects.catalogue import Neglect, Neglected, OwnTables
from event_bus_kafka.telemetry.state import ConsumerState, HeldTopic, RelayState
from tests.support.states import consumer_state

RETENTION = 90.0
"""The retention in days."""
_ROW = {"shard": 0, "topic": "grades", "key": b"k", "body": b"b", "headers": b"h", "schema_id": 1, "size": 3}


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def found(outboxes: tuple[str, ...] = ("default",), **tables: Any) -> Mapping[str, Neglect]:
    """Return the neglects of a service by id, and assert that each id occurs once. See :func:`neglected`."""
    several = neglected(outboxes, **tables).neglects
    assert len({one.id for one in several}) == len(several)
    return {one.id: one for one in several}


def neglected(outboxes: tuple[str, ...] = ("default",), **tables: Any) -> Neglected:
    """
    Search the tables of a service for neglects. ``outboxes`` contains the aliases of its databases with an outbox.
    ``tables`` contains the attributes of :class:`OwnTables` that differ from their defaults.
    """
    return in_tables.neglects(outboxes=outboxes, own=OwnTables(**{"retention": RETENTION} | tables))


def waiting_row(created: datetime) -> OutboxRecord:
    return OutboxRecord.objects.create(**_ROW, created=milliseconds(created))


def parked_row(parked: datetime) -> ParkedRecord:
    row = {"code": "MSG_SIZE_TOO_LARGE", "reason": "too large", "parked_at": milliseconds(parked)}
    return ParkedRecord.objects.create(**_ROW, **row, id=uuid4().int >> 65, created=milliseconds(parked))


def dead_letter(failed: datetime, offset: int, group: str = "mail") -> DeadLetter:
    return DeadLetter.objects.create(
        group=group,
        topic="grades",
        partition=0,
        offset=offset,
        headers=[],
        event_type="org.openedx.grade.v1",
        event_id=str(uuid4()),
        failures=[],
        attempts=1,
        first_failed_at=failed,
        last_failed_at=failed,
    )


def relay(beat: datetime, **state: Any) -> Heartbeat:
    """Store the heartbeat of a relay. ``beat`` is the time of its last beat."""
    kept = RelayState(
        database="default", depth={}, oldest_age=None, parked=0, held_topics=(), obstacles=(), is_alive=True
    )
    return _run("relay", "", beat, attrs.asdict(attrs.evolve(kept, **state)))


def consumer(
    beat: datetime,
    *,
    version: str = "0.1.0",
    group: str = "mail",
    stopped: bool = False,
    state: ConsumerState | None = None,
) -> Heartbeat:
    """
    Store the heartbeat of a worker. ``beat`` is the time of its last beat. By default its state has a lag of 2 records.
    """
    kept = attrs.asdict(state or consumer_state(group=group))
    return _run("consumer", group, beat, kept, version=version, stopped=stopped)


def _run(kind: str, group: str, beat: datetime, state: dict[str, Any], **about: Any) -> Heartbeat:
    return Heartbeat.objects.create(
        id=uuid4(),
        kind=kind,
        host="a-host",
        pid=7,
        service="credentials",
        version=about.get("version", "0.1.0"),
        group=group,
        topics=[],
        period=10.0,
        started_at=milliseconds(beat - timedelta(hours=2)),
        beat_at=milliseconds(beat),
        stopped_at=milliseconds(beat) if about.get("stopped") else None,
        state=state,
    )


def pause(since: datetime, receiver: str = "app.receivers.grade") -> None:
    PausedReceiver.objects.create(receiver=receiver, paused_at=since)


def neglect_everything() -> None:
    """
    Cause every kind of neglect that the tables can show, except for a clock that differs from the database's clock.
    """
    waiting_row(ago(minutes=6))
    parked_row(ago(days=84))
    dead_letter(ago(days=84), 1)
    dead_letter(ago(hours=1), 2)
    held = HeldTopic(topic="grades", seconds=3_700, reason="TopicAuthorizationFailed")
    relay(ago(seconds=1), held_topics=(held,), obstacles=("Kafka is away",))
    consumer(ago(minutes=5))
    pause(ago(hours=25))


def clock_ahead(seconds: float) -> Any:
    """Move this host's clock ahead of the database's clock by ``seconds`` while the block runs."""
    return patch.object(reading, "time", lambda: time() + seconds)
