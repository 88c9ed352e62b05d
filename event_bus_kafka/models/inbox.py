"""Marks of the events that receivers have processed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from django.db import models, transaction

from event_bus_kafka.models.moments import MomentField


class InboxMarkQuerySet(models.QuerySet["InboxMark"]):
    """Queries and changes of marks."""

    def mark(self, receiver: str, event_id: UUID) -> None:
        """
        Note, in the transaction that is open, that a receiver has had an event.

        Raises IntegrityError where that is noted already; waits for the end of another transaction that is about to.
        """
        self.create(id=uuid5(event_id, receiver), receiver=receiver, event_id=event_id, marked_at=datetime.now(UTC))

    def of(self, event_id: UUID, receivers: Iterable[str]) -> InboxMarkQuerySet:
        """Marks that these receivers set for an event. Found by their ids, since no index has the event's."""
        return self.filter(pk__in=[uuid5(event_id, name) for name in receivers]).order_by("marked_at", "pk")

    def expired(self, before: datetime) -> InboxMarkQuerySet:
        """Marks set before a time, the oldest first."""
        return self.filter(marked_at__lt=before).order_by("marked_at", "pk")

    def remove(self, ids: Sequence[UUID]) -> int:
        """
        Delete rows; return how many there were.

        One by one: at a list of ids MySQL may look through the whole table, and wait for receivers that are running.
        """
        with transaction.atomic(using=self.db):
            return sum(self.filter(pk=one).delete()[0] for one in ids)


class InboxMark(models.Model):
    """A receiver has had an event: set in the transaction of its effect, so that both are there or neither is."""

    id = models.UUIDField(primary_key=True)
    """Derived from the event's id and the receiver's name, which MySQL would compare without regard to case."""
    receiver = models.CharField(max_length=500)
    """The receiver's name, as dead letters spell it, but without ``dispatch_uid``."""
    event_id = models.UUIDField()
    marked_at = MomentField(db_index=True)

    objects = InboxMarkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.receiver} has had {self.event_id}"
