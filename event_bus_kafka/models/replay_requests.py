"""The table of requests to replay dead letters, which workers fulfil."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import connections, models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from event_bus_kafka.models.database_time import database_now, now_sql
from event_bus_kafka.models.upserts import one_statement

TAKEN_OVER_AFTER = 60.0
"""Seconds without a beat after which another worker takes a request over."""


class RequestState(models.TextChoices):
    """The progress of a request."""

    REQUESTED = "requested"
    """It waits for a worker: no worker has had it yet, or one has handed it back."""
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    """Each of its letters had its turn."""
    STOPPED = "stopped"
    """It ended early: by hand, or because too many letters in a row failed."""
    FAILED = "failed"
    """The worker met an error of its own."""


OPEN = (RequestState.REQUESTED, RequestState.RUNNING, RequestState.PAUSED)
"""States of requests that have not ended."""
_TO_RUN = (RequestState.REQUESTED, RequestState.RUNNING)


class ReplayRequestQuerySet(models.QuerySet["ReplayRequest"]):
    """Queries and changes of requests. Each change is one statement: no row stays locked."""

    def in_turn(self, group: str) -> list[ReplayRequest]:
        """Return the group's requests that a worker may take now, the oldest first."""
        return list(self._free().filter(group=group).order_by("pk"))

    def runs_in_turn(self, group: str) -> list[ReplayRequest]:
        """Return the requests with a run that a worker of a group may take now, the oldest first."""
        return list(self._free().filter(run__group__in=("", group)).select_related("run").order_by("pk"))

    def take(self, request: int, *, by: UUID, worker: str) -> bool:
        """Make a request the worker's, unless another one was faster."""
        now, rows = self._now(), self._free().filter(pk=request)
        changes: dict[str, Any] = {"state": RequestState.RUNNING, "claimed_by": by, "worker": worker, "beat_at": now}
        return bool(rows._write(note="", began_at=Coalesce("began_at", now), **changes))

    def beat(self, request: int, *, by: UUID, **values: Any) -> bool:
        """Renew a worker's claim on a request. False: the claim is over, or the request was paused or cancelled."""
        return bool(self._running(request, by)._write(beat_at=self._now(), **values))

    def keep(self, request: int, *, by: UUID) -> None:
        """Renew the worker's claim, if it has one, in whatever state the request is: its letters run still."""
        self.filter(pk=request, claimed_by=by)._write(beat_at=self._now())

    def let_go(self, request: int, *, by: UUID, note: str = "") -> None:
        """End the worker's claim, if it has one; an unfinished request is free for others. ``note``: why."""
        self.filter(pk=request, claimed_by=by)._write(claimed_by=None, beat_at=None)
        handed_back = self.filter(pk=request, claimed_by=None, state=RequestState.RUNNING)
        handed_back._write(state=RequestState.REQUESTED, note=note)

    def finish(self, request: int, state: RequestState, *, by: UUID, note: str = "") -> bool:
        """End a request as the worker that has it; False: it has it no longer."""
        return bool(
            self._running(request, by)._write(
                state=state, note=note, ended_at=self._now(), claimed_by=None, beat_at=None
            )
        )

    def pause(self, request: int, *, note: str) -> bool:
        """
        Pause a request that waits or runs. Its worker begins no further letter once it looks. False: there is none.
        """
        return bool(self.filter(pk=request, state__in=_TO_RUN)._write(state=RequestState.PAUSED, note=note))

    def resume(self, request: int) -> bool:
        """Let a paused request run again. False: there is none."""
        return bool(self.filter(pk=request, state=RequestState.PAUSED)._write(state=RequestState.REQUESTED, note=""))

    def cancel(self, request: int, *, note: str) -> bool:
        """End a request early. Its worker begins no further letter once it looks. False: it has ended already."""
        rows = self.filter(pk=request, state__in=OPEN)
        return bool(rows._write(state=RequestState.STOPPED, note=note, ended_at=self._now()))

    def still_open(self) -> ReplayRequestQuerySet:
        """Requests that have not ended."""
        return self.filter(state__in=OPEN)

    def expired(self, before: int) -> ReplayRequestQuerySet:
        """Requests that ended, or were made and never ran, before a time (milliseconds since the epoch)."""
        idle = models.Q(state__in=(RequestState.REQUESTED, RequestState.PAUSED), requested_at__lt=before)
        return self.filter(models.Q(ended_at__lt=before) | idle).order_by("pk")

    def _free(self) -> ReplayRequestQuerySet:
        silent = models.Q(beat_at__lt=database_now(self.db) - round(TAKEN_OVER_AFTER * 1000))
        return self.filter(models.Q(claimed_by=None) | silent, state__in=_TO_RUN)

    def _running(self, request: int, by: UUID) -> ReplayRequestQuerySet:
        return self.filter(pk=request, claimed_by=by, state=RequestState.RUNNING)

    def _write(self, **values: Any) -> int:
        with one_statement(self.db):
            return self.update(**values)

    def _now(self) -> RawSQL:
        return RawSQL(now_sql(connections[self.db]), ())


class ReplayRequest(models.Model):
    """
    Dead letters of one group that its workers are to replay, or a run: the replay of a topic, or a backfill. Times are
    by the database's clock.
    """

    group = models.CharField(max_length=255)
    """Empty: it has a run, which has a group of its own."""
    receiver = models.CharField(max_length=500)
    """The only receiver that runs; empty: all pending receivers run."""
    instead_of = models.CharField(max_length=500)
    """The pending receiver in whose place ``receiver`` runs; empty: none was named."""
    receivers = models.JSONField()
    """Names of all that are to run: a worker without any of them leaves the request alone."""
    rate = models.FloatField(null=True)
    """Letters a second at most; None: as many as live events leave time for."""
    stop_after = models.IntegerField()
    """Letters in a row that fail and end it."""
    requested_by = models.CharField(max_length=255)
    reason = models.TextField()
    requested_at = models.BigIntegerField()
    """Milliseconds since the epoch, as the other times."""
    state = models.CharField(max_length=16, choices=RequestState.choices)
    note = models.TextField()
    """The reason for which it ended early or waits, or the user who paused it."""
    claimed_by = models.UUIDField(null=True)
    """The worker that has claimed it. The claim ends when the worker has been silent for a minute."""
    worker = models.CharField(max_length=255)
    """Host and process id of the worker that has it, or had it last."""
    beat_at = models.BigIntegerField(null=True)
    failures_in_row = models.IntegerField(default=0)
    began_at = models.BigIntegerField(null=True)
    ended_at = models.BigIntegerField(null=True)

    objects = ReplayRequestQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["group", "state"], name="event_bus_kafka_request")]

    def __str__(self) -> str:
        return f"replay request {self.pk}, {self.state}"

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN
