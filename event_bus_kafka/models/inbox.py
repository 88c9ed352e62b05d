"""The table of the inbox. It contains a mark for each event that a receiver has processed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from django.db import models, transaction

from event_bus_kafka.models.moments import MomentField


class InboxMarkQuerySet(models.QuerySet["InboxMark"]):
    """Reads and changes marks."""

    def mark(self, receiver: str, event_id: UUID) -> None:
        """
        Insert the mark that a receiver has processed an event. The insert is part of the open transaction.

        Raises IntegrityError if the mark exists. If another open transaction has inserted the same mark, waits until
        that transaction ends.
        """
        self.create(id=uuid5(event_id, receiver), receiver=receiver, event_id=event_id, marked_at=datetime.now(UTC))

    def of(self, event_id: UUID, receivers: Iterable[str]) -> InboxMarkQuerySet:
        """
        Return the marks of these receivers for an event. The search uses the primary key, because ``event_id`` has no
        index.
        """
        return self.filter(pk__in=[uuid5(event_id, name) for name in receivers]).order_by("marked_at", "pk")

    def expired(self, before: datetime) -> InboxMarkQuerySet:
        """Return the marks that were set before ``before``, oldest first."""
        return self.filter(marked_at__lt=before).order_by("marked_at", "pk")

    def remove(self, ids: Sequence[UUID]) -> int:
        """
        Delete rows one by one, because for a list of ids MySQL may scan the whole table and wait for the locks of
        running receivers. Return the number of deleted rows.
        """
        with transaction.atomic(using=self.db):
            return sum(self.filter(pk=one).delete()[0] for one in ids)


class InboxMark(models.Model):
    """
    The mark that a receiver has processed an event. The mark is inserted in the transaction of the receiver's own
    changes, so that the database commits both or neither.
    """

    id = models.UUIDField(primary_key=True)
    """
    UUID computed from the event id and the receiver's name. On MySQL, a unique index on these columns would ignore
    case.
    """
    receiver = models.CharField(max_length=500)
    """The receiver's name as in dead letters, but without ``dispatch_uid``."""
    event_id = models.UUIDField()
    marked_at = MomentField(db_index=True)

    objects = InboxMarkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.receiver} has had {self.event_id}"
