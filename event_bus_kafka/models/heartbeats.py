"""The table of heartbeats, with the last known state of each worker and relay."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.models.database_time import now_sql
from event_bus_kafka.models.upserts import Sql, upsert

_BEATS, _LEAST_SILENCE = 6, 60_000
"""
A worker or relay counts as dead if its last heartbeat is older than both limits. The first is a number of periods
between heartbeats, the second a number of milliseconds.
"""


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    """Reads and changes heartbeats."""

    def beat(self, row: UUID, *, age: float, is_last: bool = False, **values: Any) -> None:
        """
        Insert the row of a worker or relay, or update ``beat_at``, ``stopped_at`` and ``state`` in its row, with one
        SQL statement.

        ``row``: id of the row. ``age``: seconds since the worker or relay started. ``is_last``: whether it has ended.
        ``values``: all fields except the id and the times.
        """
        now = Sql(now_sql(connections[self.db]))
        insert = {
            "id": row,
            "started_at": Sql(f"{now.text} - %s", (round(age * 1000),)),
            "beat_at": now,
            "stopped_at": now if is_last else None,
            **values,
        }
        change = {name: insert[name] for name in ("beat_at", "stopped_at", "state")}
        upsert(self.model, self.db, insert=insert, change=change)

    def expired(self, before: int) -> HeartbeatQuerySet:
        """Return the rows whose last heartbeat was before ``before`` (milliseconds since the epoch)."""
        return self.filter(beat_at__lt=before).order_by("beat_at", "pk")

    def remove(self, ids: list[UUID]) -> int:
        """Delete the rows with these ids. Return the number of deleted rows."""
        return sum(self.filter(pk=one).delete()[0] for one in ids)


class Heartbeat(models.Model):
    """
    The latest heartbeat of a worker or relay, which gets a new row each time it starts. All times come from the
    database's clock.
    """

    id = models.UUIDField(primary_key=True)
    """A random id, which a worker or relay chooses each time it starts."""
    kind = models.CharField(max_length=16)
    """``consumer`` or ``relay``."""
    host = models.CharField(max_length=255)
    pid = models.BigIntegerField()
    service = models.CharField(max_length=255)
    version = models.CharField(max_length=64)
    """The version of this package."""
    group = models.CharField(max_length=255)
    """The consumer group; empty for relays."""
    topics = models.JSONField()
    """Full names of the topics that a worker subscribes to; a relay has none."""
    period = models.FloatField()
    """Seconds between two heartbeats."""
    started_at = models.BigIntegerField()
    """Time of the start. All times are in milliseconds since the epoch."""
    beat_at = models.BigIntegerField(db_index=True)
    stopped_at = models.BigIntegerField(null=True)
    """Time at which the worker or relay ended regularly. None: the worker or relay still runs, or has died."""
    state: Any = models.JSONField()

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker or relay")
        verbose_name_plural = _("workers and relays")

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"

    def liveness(self, now: int) -> str:
        """
        Return ``alive``, ``stopped`` or ``dead``. Dead means: no heartbeat for six periods, or for a minute if that is
        longer. ``now``: time of the database's clock, in milliseconds since the epoch.
        """
        if self.stopped_at is not None:
            return "stopped"
        silence = max(_BEATS * self.period * 1000, _LEAST_SILENCE)
        return "dead" if now - self.beat_at > silence else "alive"
