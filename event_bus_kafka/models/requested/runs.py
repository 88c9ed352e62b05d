"""
The table of requested runs. A run is a replay of a topic, or a backfill, that workers do. Each run belongs to a replay
request.
"""

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
    """Reads and changes requested runs."""

    def hold(self, request: int, *, by: UUID) -> RequestedRun | None:
        """
        Make worker ``by`` the holder of the request's run, so that no other worker can save progress. Return the run
        with the progress that was saved last. The attribute ``holder`` of the returned run names the previous holder.
        Return None if worker ``by`` has lost its claim on the request; another worker may then hold the run.
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
        """Save the progress. Return False if worker ``by`` is no longer the holder of the run."""
        with one_statement(self.db):
            return bool(self.filter(request=request, holder=by).update(progress=progress))

    def expired(self, requests: ReplayRequestQuerySet) -> RequestedRunQuerySet:
        """Return the runs of expired ``requests``."""
        return self.filter(request__in=requests.order_by()).order_by("pk")

    def remove(self, ids: Sequence[int]) -> int:
        """Delete rows. Return the number of deleted rows."""
        return self.filter(pk__in=ids).delete()[0]

    def release(self, request: int, *, by: UUID) -> None:
        """
        Remove worker ``by`` as holder, because this worker no longer executes the run. Otherwise, the next worker would
        conclude that this worker died while it executed the run.
        """
        with one_statement(self.db):
            self.filter(request=request, holder=by).update(holder=None)


class RequestedRun(models.Model):
    """
    The run of a replay request without letters. The request's ``group`` is empty, so that workers of the previous
    version never take the request. These workers know only letters, and take only requests of their own group.
    """

    request = models.OneToOneField(ReplayRequest, on_delete=models.DO_NOTHING, related_name="run")
    """
    DO_NOTHING instead of CASCADE, which would query this table for each deleted request, even if the table is missing.
    """
    kind = models.CharField(max_length=16, choices=RunKind.choices)
    group = models.CharField(max_length=255)
    """The group whose workers may take the run; empty: workers of any group may take it."""
    arguments = models.JSONField()
    """The fields of ``TopicArguments`` or ``BackfillArguments``, by the kind of the run. They never change."""
    progress = models.JSONField()
    """The fields of ``RunProgress``. The worker that holds the run saves them with each heartbeat."""
    holder = models.UUIDField(null=True)
    """
    The worker that may save progress. The value remains if the worker dies, so that the next worker detects the death.
    """

    objects = RequestedRunQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["group"], name="event_bus_kafka_run")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.request}"

    @property
    def is_known(self) -> bool:
        """Whether this version knows the kind of the run. A later version may have added kinds."""
        return self.kind in RunKind.values
