"""Receivers that are paused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import connections, models, router

from event_bus_kafka.models.moments import MomentField
from event_bus_kafka.models.presence import has_column

LONGEST_REASON = 500
"""Characters."""


class PausedReceiverQuerySet(models.QuerySet["PausedReceiver"]):
    """Queries and changes of pauses."""

    def names(self) -> frozenset[str]:
        """Return the names of the paused receivers."""
        return frozenset(self.values_list("receiver", flat=True))

    def pause(self, receiver: str, *, at: datetime, reason: str = "") -> None:
        """
        Pause a receiver; if it is paused already, nothing changes. ``reason``: a text for people; it is dropped while
        the table lacks its column.
        """
        kept = {"reason": reason[:LONGEST_REASON]} if self.keeps_reasons() else {}
        self.get_or_create(receiver=receiver, defaults={"paused_at": at, **kept})

    def with_reasons(self) -> PausedReceiverQuerySet:
        """Return the rows sorted by receiver, with :attr:`PausedReceiver.reason` if the database has that column."""
        rows = self.defer(None) if self.keeps_reasons() else self
        return rows.order_by("receiver")

    def resume(self, receiver: str) -> None:
        """End a pause."""
        self.filter(receiver=receiver).delete()

    def keeps_reasons(self) -> bool:
        """Whether the database is migrated so far. Raises a database error where that cannot be found out."""
        alias = self._db or router.db_for_write(self.model)  # type: ignore[attr-defined]
        return has_column(connections[alias], self.model, "reason")


_Manager = models.Manager.from_queryset(PausedReceiverQuerySet)


class PausedReceiverManager(_Manager["PausedReceiver"]):
    """Leaves out the newest column unless it is asked for: the table may not have it yet."""

    def get_queryset(self) -> PausedReceiverQuerySet:
        rows: PausedReceiverQuerySet = super().get_queryset()  # type: ignore[assignment]
        return rows.defer("reason")


class PausedReceiver(models.Model):
    """A receiver of this service whose events go to the dead letters, until that is ended by hand."""

    receiver = models.CharField(max_length=500)
    """The receiver's name, as dead letters spell it."""
    paused_at = MomentField()
    reason = models.CharField(max_length=LONGEST_REASON, null=True)  # noqa: DJ001 the version before writes none
    """The reason given with the pause; None or empty: none was given."""

    objects = PausedReceiverManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["receiver"], name="event_bus_kafka_paused")]
        """Not ``unique=True``: Django's check for MySQL warns of unique fields with more than 255 characters."""

    def __str__(self) -> str:
        return f"{self.receiver}, paused"

    @property
    def said_reason(self) -> str:
        """The reason; empty too where it was not read, or the table lacks the column."""
        return "" if "reason" in self.get_deferred_fields() else self.reason or ""

    def _do_insert(self, manager: Any, using: str, fields: Any, *others: Any, **named: Any) -> Any:
        """Without the column that a table lacks before its migration. Django asks for all columns otherwise."""
        if not PausedReceiver.objects.using(using).keeps_reasons():
            fields = [field for field in fields if field.name != "reason"]
        return super()._do_insert(manager, using, fields, *others, **named)  # type: ignore[misc]
