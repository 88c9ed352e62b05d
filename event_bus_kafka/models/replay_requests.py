"""The table of replay requests: orders to workers to replay dead letters or a topic, or to do a backfill."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import connections, models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from event_bus_kafka.models.database_time import database_now, now_sql
from event_bus_kafka.models.upserts import one_statement

TAKEN_OVER_AFTER = 60.0
"""Seconds without a heartbeat of a request's worker, after which another worker may claim the request."""


class RequestState(models.TextChoices):
    """The state of a replay request."""

    REQUESTED = "requested"
    """The request waits for a worker: no worker has claimed it yet, or a worker has handed it back."""
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    """All work of the request is done. Some of its letters may have failed."""
    STOPPED = "stopped"
    """The request ended early, for the reason in its ``note``: it was cancelled, for example, or too much failed."""
    FAILED = "failed"
    """The request ended early because of an error in the worker, not in a receiver."""


OPEN = (RequestState.REQUESTED, RequestState.RUNNING, RequestState.PAUSED)
"""States of requests that have not ended."""
_TO_RUN = (RequestState.REQUESTED, RequestState.RUNNING)


class ReplayRequestQuerySet(models.QuerySet["ReplayRequest"]):
    """
    Reads and changes requests. In autocommit mode, each statement is committed at once, so that no row stays locked.
    """

    def in_turn(self, group: str) -> list[ReplayRequest]:
        """Return the requests with letters of ``group`` that a worker may claim now, oldest first."""
        return list(self._free().filter(group=group).order_by("pk"))

    def runs_in_turn(self, group: str) -> list[ReplayRequest]:
        """Return the requests with a run that a worker of ``group`` may claim now, oldest first."""
        return list(self._free().filter(run__group__in=("", group)).select_related("run").order_by("pk"))

    def take(self, request: int, *, by: UUID, worker: str) -> bool:
        """
        Claim a request for worker ``by``. Return False if the request is not free, for example because another worker
        was faster.
        """
        now, rows = self._now(), self._free().filter(pk=request)
        changes: dict[str, Any] = {"state": RequestState.RUNNING, "claimed_by": by, "worker": worker, "beat_at": now}
        return bool(rows._write(note="", began_at=Coalesce("began_at", now), **changes))

    def beat(self, request: int, *, by: UUID, **values: Any) -> bool:
        """
        Renew the claim of worker ``by`` and set ``values``. Return False if the worker has lost its claim or the
        request is not running.
        """
        return bool(self._running(request, by)._write(beat_at=self._now(), **values))

    def keep(self, request: int, *, by: UUID) -> None:
        """
        Renew the claim of worker ``by``, if this worker has a claim. A paused or ended request is included, because its
        letters may still be running.
        """
        self.filter(pk=request, claimed_by=by)._write(beat_at=self._now())

    def let_go(self, request: int, *, by: UUID, note: str = "") -> None:
        """
        End the claim of worker ``by``, if this worker has a claim. A running request then waits for another worker.
        ``note``: why the worker releases the request; stored only if the request was running.
        """
        self.filter(pk=request, claimed_by=by)._write(claimed_by=None)  # beat_at stays: see expired()
        handed_back = self.filter(pk=request, claimed_by=None, state=RequestState.RUNNING)
        handed_back._write(state=RequestState.REQUESTED, note=note)

    def finish(self, request: int, state: RequestState, *, by: UUID, note: str = "") -> bool:
        """End a running request. Return False if worker ``by`` has lost its claim or the request is not running."""
        values = {"state": state, "note": note, "ended_at": self._now(), "claimed_by": None}
        return bool(self._running(request, by)._write(**values))

    def pause(self, request: int, *, note: str) -> bool:
        """
        Pause a waiting or running request. If a worker runs the request, this worker begins no further letter, record
        or item after its next heartbeat. Return False if the request is in another state.
        """
        return bool(self.filter(pk=request, state__in=_TO_RUN)._write(state=RequestState.PAUSED, note=note))

    def resume(self, request: int) -> bool:
        """Let a paused request wait for a worker again. Return False if the request is not paused."""
        return bool(self.filter(pk=request, state=RequestState.PAUSED)._write(state=RequestState.REQUESTED, note=""))

    def cancel(self, request: int, *, note: str) -> bool:
        """
        End a request early. If a worker runs the request, this worker begins no further letter, record or item after
        its next heartbeat. Return False if the request has ended already.
        """
        rows = self.filter(pk=request, state__in=OPEN)
        return bool(rows._write(state=RequestState.STOPPED, note=note, ended_at=self._now()))

    def still_open(self) -> ReplayRequestQuerySet:
        """Return the requests that have not ended."""
        return self.filter(state__in=OPEN)

    def expired(self, before: int) -> ReplayRequestQuerySet:
        """
        Return the requests that ended before ``before`` (milliseconds since the epoch). Also return the waiting and
        paused requests whose last heartbeat was before this time. For a request without a heartbeat, the time at which
        it began counts instead; for a request that never began, the time of the order.
        """
        had_at = Coalesce("beat_at", "began_at", "requested_at")  # versions before deleted beat_at
        idle = models.Q(state__in=(RequestState.REQUESTED, RequestState.PAUSED), had_at__lt=before)
        return self.alias(had_at=had_at).filter(models.Q(ended_at__lt=before) | idle).order_by("pk")

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
    An order to workers. A request with letters tells the workers of one group to replay these dead letters. A request
    with a run tells workers to replay a topic, or to do a backfill. All times come from the database's clock.
    """

    group = models.CharField(max_length=255)
    """
    The group of the letters. Empty: the request has a run instead of letters, and the run's row contains the group.
    """
    receiver = models.CharField(max_length=500)
    """
    The only receiver that runs. Empty: all pending receivers of each letter run; in a replay of a topic, all receivers
    of each record.
    """
    instead_of = models.CharField(max_length=500)
    """
    The receiver that ``receiver`` replaces as a stand-in, if the operator named it; otherwise empty.
    ``RequestedLetter.instead_of`` contains the replaced receiver of each letter.
    """
    receivers = models.JSONField()
    """
    Names of all receivers that are to run. A worker that has none of these receivers never claims the request. Empty:
    any worker of the group may claim it.
    """
    rate = models.FloatField(null=True)
    """Maximum number of letters, records or items per second; None: no limit, but live events come first."""
    stop_after = models.IntegerField()
    """The request ends after this number of failed letters, records or items in a row."""
    requested_by = models.CharField(max_length=255)
    reason = models.TextField()
    requested_at = models.BigIntegerField()
    """Time of the order. All times are in milliseconds since the epoch."""
    state = models.CharField(max_length=16, choices=RequestState.choices)
    note = models.TextField()
    """Why the request ended early or waits, or who paused the request; empty: no note."""
    claimed_by = models.UUIDField(null=True)
    """The worker that has claimed the request. The claim ends after a minute without a heartbeat of the worker."""
    worker = models.CharField(max_length=255)
    """Host and process id of the worker that has claimed the request, or was the last to claim it."""
    beat_at = models.BigIntegerField(null=True)
    """
    Time of the last heartbeat of the worker that ``worker`` names; None: no worker has claimed the request yet, or an
    earlier version of this package has removed the time.
    """
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
        """Whether the request waits, runs or is paused."""
        return self.state in OPEN
