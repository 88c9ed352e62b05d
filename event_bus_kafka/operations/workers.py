"""Reads the state of workers and relays from their heartbeats in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from shlex import quote
from typing import Any

import attrs
from django.db import connections, router
from django.db.models.expressions import RawSQL

from event_bus_kafka.models import Heartbeat
from event_bus_kafka.models.database_time import now_sql

TAKER_UNKNOWN = "Whether a worker takes it is not known: EVENT_BUS_KAFKA_HEARTBEAT = 0."
"""
Text that is shown for a replay request if workers write no heartbeats. Then nobody knows whether a worker can take it.
"""


@attrs.frozen(kw_only=True)
class WorkerRun:
    """The state of a worker or relay at its last heartbeat."""

    kind: str
    """``consumer`` or ``relay``."""
    liveness: str
    """
    ``alive``, ``stopped`` or ``dead``. A worker or relay counts as dead if it has not stopped, and has written no
    heartbeat for six times EVENT_BUS_KAFKA_HEARTBEAT, or for a minute if that is longer.
    """
    silence: float
    """Seconds since the last heartbeat, measured with the database's clock."""
    host: str
    pid: int
    service: str
    version: str
    group: str
    topics: Sequence[str]
    started: datetime
    state: dict[str, Any]
    """
    The fields of ``ConsumerState`` or ``RelayState``, the ``rates`` (per second), and ``health_port``, the port of
    ``/live``, ``/ready`` and ``/metrics`` (None: no port is open). Some fields of a relay are missing until the relay
    has looked at its outbox once.
    """

    @property
    def is_alive(self) -> bool:
        """Whether the worker or relay still writes heartbeats."""
        return self.liveness == "alive"


def workers() -> list[WorkerRun]:
    """
    Return the workers and relays in the table of heartbeats, latest start first. Rows are kept for a day. Raises a
    database error, also if the table is missing.
    """
    alias = router.db_for_write(Heartbeat)
    rows: Any = Heartbeat.objects.using(alias).annotate(now=RawSQL(now_sql(connections[alias]), ()))
    return [_run(row, int(row.now)) for row in rows.order_by("-started_at", "pk")]


def replaying_groups(runs: Iterable[WorkerRun]) -> Mapping[str, frozenset[str] | None]:
    """
    Return group → receivers of the group's workers, for each group with a running worker that can replay. None:
    unknown, because one of the workers does not report its receivers.
    """
    found: dict[str, frozenset[str] | None] = {}
    for run in runs:
        if can_replay(run):
            names, before = run.state.get("receivers"), found.get(run.group, frozenset())
            found[run.group] = None if names is None or before is None else before.union(names)
    return found


def can_replay(run: WorkerRun) -> bool:
    """Return whether a worker lives and is of a version that does requested replays of dead letters."""
    return run.is_alive and "replaying" in run.state and bool(run.state.get("is_alive", True))


def worker_command(group: str, topics: Iterable[str] = ()) -> str:
    """
    Return the command that starts a worker of a group. ``topics``: names without prefix; empty: the worker reads the
    topics of the group in EVENT_BUS_KAFKA_SUBSCRIPTIONS.
    """
    named = "".join(f" -t {quote(topic)}" for topic in topics)
    return f"manage.py consume_events{named} -g {quote(group)}"


def _run(row: Heartbeat, now: int) -> WorkerRun:
    names = ("kind", "host", "pid", "service", "version", "group", "topics", "state")
    return WorkerRun(
        liveness=row.liveness(now),
        silence=max(now - row.beat_at, 0) / 1000,
        started=datetime.fromtimestamp(row.started_at / 1000, UTC),
        **{name: getattr(row, name) for name in names},
    )
