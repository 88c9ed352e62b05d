"""The table of paused receivers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import connections, models, router

from event_bus_kafka.models.moments import MomentField
from event_bus_kafka.models.presence import has_column

LONGEST_REASON = 500
"""Maximum length of a stored reason, in characters."""


class PausedReceiverQuerySet(models.QuerySet["PausedReceiver"]):
    """Reads and changes pauses."""

    def names(self) -> frozenset[str]:
        """Return the names of the paused receivers."""
        return frozenset(self.values_list("receiver", flat=True))

    def pause(self, receiver: str, *, at: datetime, reason: str = "") -> None:
        """
        Pause a receiver, unless it is paused already. ``reason``: a text for people; it is ignored if the table lacks
        the column.
        """
        kept = {"reason": reason[:LONGEST_REASON]} if self.keeps_reasons() else {}
        self.get_or_create(receiver=receiver, defaults={"paused_at": at, **kept})

    def with_reasons(self) -> PausedReceiverQuerySet:
        """Return the rows sorted by receiver, with :attr:`PausedReceiver.reason` if the database has that column."""
        rows = self.defer(None) if self.keeps_reasons() else self
        return rows.order_by("receiver")

    def resume(self, receiver: str) -> None:
        """End the pause of a receiver."""
        self.filter(receiver=receiver).delete()

    def keeps_reasons(self) -> bool:
        """Whether the table has the column ``reason``. Raises a database error if the database does not answer."""
        alias = self._db or router.db_for_write(self.model)  # type: ignore[attr-defined]
        return has_column(connections[alias], self.model, "reason")


_Manager = models.Manager.from_queryset(PausedReceiverQuerySet)


class PausedReceiverManager(_Manager["PausedReceiver"]):
    """Defers the column ``reason`` by default, because the table may not have this column yet."""

    def get_queryset(self) -> PausedReceiverQuerySet:
        rows: PausedReceiverQuerySet = super().get_queryset()  # type: ignore[assignment]
        return rows.defer("reason")


class PausedReceiver(models.Model):
    """A paused receiver of this service. The receiver's events become dead letters until an operator ends the pause."""

    receiver = models.CharField(max_length=500)
    """The receiver's name, as in dead letters."""
    paused_at = MomentField()
    reason = models.CharField(max_length=LONGEST_REASON, null=True)  # noqa: DJ001 the previous version writes none
    """The reason that was given for the pause; None or empty: no reason was given."""

    objects = PausedReceiverManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["receiver"], name="event_bus_kafka_paused")]
        """
        This constraint replaces ``unique=True``, because Django's check for MySQL warns about unique fields of more
        than 255 characters.
        """

    def __str__(self) -> str:
        return f"{self.receiver}, paused"

    @property
    def said_reason(self) -> str:
        """The reason; empty if no reason was given, or if the column is missing or deferred."""
        return "" if "reason" in self.get_deferred_fields() else self.reason or ""

    def _do_insert(self, manager: Any, using: str, fields: Any, *others: Any, **named: Any) -> Any:
        """Insert without ``reason`` if the table lacks this column, because Django would insert all columns."""
        if not PausedReceiver.objects.using(using).keeps_reasons():
            fields = [field for field in fields if field.name != "reason"]
        return super()._do_insert(manager, using, fields, *others, **named)  # type: ignore[misc]
