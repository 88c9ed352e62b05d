"""Rows that say which workers and relays run, and how they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.models.database_time import now_sql
from event_bus_kafka.models.upserts import Sql, upsert

_BEATS, _LEAST_SILENCE = 6, 60_000
"""Missed beats after which a run counts as dead, and the least milliseconds of silence for it."""


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    """Queries and changes of heartbeats."""

    def beat(self, row: UUID, *, age: float, is_last: bool = False, **values: Any) -> None:
        """
        Write by one statement that a worker or relay lives, or that it ``is_last``: it ends. ``age``: seconds since its
        start. ``values``: all fields but the times.
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
        """Runs last written before a time, in milliseconds since the epoch."""
        return self.filter(beat_at__lt=before).order_by("beat_at", "pk")

    def remove(self, ids: list[UUID]) -> int:
        """Delete rows; return how many there were."""
        return sum(self.filter(pk=one).delete()[0] for one in ids)


class Heartbeat(models.Model):
    """One run of a worker or relay, by its own latest description. Times are by the database's clock."""

    id = models.UUIDField(primary_key=True)
    """Random, of this run."""
    kind = models.CharField(max_length=16)
    """``consumer`` or ``relay``."""
    host = models.CharField(max_length=255)
    pid = models.BigIntegerField()
    service = models.CharField(max_length=255)
    version = models.CharField(max_length=64)
    """The version of this package."""
    group = models.CharField(max_length=255)
    """Empty for relays."""
    topics = models.JSONField()
    """Full names of the topics that a worker subscribes to; a relay has none."""
    period = models.FloatField()
    """Seconds between two beats."""
    started_at = models.BigIntegerField()
    """Milliseconds since the epoch, as the other times."""
    beat_at = models.BigIntegerField(db_index=True)
    stopped_at = models.BigIntegerField(null=True)
    """None: it still runs, or has died."""
    state: Any = models.JSONField()

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker or relay")
        verbose_name_plural = _("workers and relays")

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"

    def liveness(self, now: int) -> str:
        """
        Return ``alive``, ``stopped`` or, six beats after its last one and a minute at least, ``dead``. ``now``:
        milliseconds since the epoch by the database's clock.
        """
        if self.stopped_at is not None:
            return "stopped"
        silence = max(_BEATS * self.period * 1000, _LEAST_SILENCE)
        return "dead" if now - self.beat_at > silence else "alive"
