"""Replays of topics, and backfills, that workers are to do: each belongs to a replay request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from event_bus_kafka.models.replay_requests import ReplayRequest, ReplayRequestQuerySet
from event_bus_kafka.models.upserts import one_statement


class RunKind(models.TextChoices):
    """The kinds of runs."""

    TOPIC = "topic"
    """Receivers get records of a topic again."""
    BACKFILL = "backfill"
    """The items of a source are sent as events."""


class RequestedRunQuerySet(models.QuerySet["RequestedRun"]):
    """Queries and changes of requested runs."""

    def hold(self, request: int, *, by: UUID) -> RequestedRun | None:
        """
        Make a worker, which has claimed the request, the only one that may save progress; return the run as it was
        before, with the progress that was saved last. Return None if the worker has lost its claim: it may have stood
        still, and another one may hold the run.
        """
        before = self.filter(request=request).values_list("holder", flat=True).first()
        claimed = ReplayRequest.objects.using(self.db).filter(pk=request, claimed_by=by)
        with one_statement(self.db):
            is_held = self.filter(request=request, request__in=claimed.values("pk")).update(holder=by)
        if not is_held:
            return None
        found = self.filter(request=request).first()  # read after the change: the worker before saves nothing any more
        if found is not None:
            found.holder = before
        return found

    def save_progress(self, request: int, progress: dict[str, Any], *, by: UUID) -> bool:
        """Save the progress. Return False if another worker holds the run by now."""
        with one_statement(self.db):
            return bool(self.filter(request=request, holder=by).update(progress=progress))

    def expired(self, requests: ReplayRequestQuerySet) -> RequestedRunQuerySet:
        """The runs of these requests."""
        return self.filter(request__in=requests.order_by()).order_by("pk")

    def remove(self, ids: Sequence[int]) -> int:
        """Delete rows; return how many there were."""
        return self.filter(pk__in=ids).delete()[0]

    def release(self, request: int, *, by: UUID) -> None:
        """Note that nothing of the run runs in this worker any more: it did not die of it."""
        with one_statement(self.db):
            self.filter(request=request, holder=by).update(holder=None)


class RequestedRun(models.Model):
    """
    The run of a replay request that has no letters. The request's ``group`` is empty: workers of the version before,
    which know of letters alone, look for requests of their own group and never take one without a group.
    """

    request = models.OneToOneField(ReplayRequest, on_delete=models.DO_NOTHING, related_name="run")
    """Not CASCADE: where this table is missing, deleting a request would look for it."""
    kind = models.CharField(max_length=16, choices=RunKind.choices)
    group = models.CharField(max_length=255)
    """The group whose workers do it; empty: any worker that can."""
    arguments = models.JSONField()
    """The arguments of the command, resolved when the request was made."""
    progress = models.JSONField()
    """The fields of ``RunProgress``; the worker that holds the run saves it with each beat."""
    holder = models.UUIDField(null=True)
    """The worker that may save progress. It stays when a worker dies, so that the next one knows."""

    objects = RequestedRunQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["group"], name="event_bus_kafka_run")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.request}"

    @property
    def is_known(self) -> bool:
        """Whether this version knows of such runs; a later one may have added kinds."""
        return self.kind in RunKind.values
