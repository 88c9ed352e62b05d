"""
The table with the state of each dead letter for each receiver. Operators search this table. Replays use the failures in
the letters' own rows instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from time import time
from typing import Any, ClassVar
from uuid import UUID, uuid5

from django.db import connections, models, transaction

from event_bus_kafka.models.dead_letters import DeadLetter

_NAMESPACE = UUID("7d0a3a2e-6c0e-4a63-9d3c-1f6f0b6c1d52")
_LONGEST_TEXT = 10_000
"""
Maximum length of a stored text, in characters. MySQL's limit is 65,535 bytes. The letter's own row contains the whole
text.
"""
_IDENTITY = ("group", "topic", "partition", "offset", "event_id")


class EntryState(models.TextChoices):
    """The state of a dead letter for one receiver."""

    FAILED = "failed"
    """The receiver is pending: it has failed, and has not succeeded since."""
    SUCCEEDED = "succeeded"
    REPLACED = "replaced"
    """Another receiver has succeeded in place of this receiver."""
    DISCARDED = "discarded"
    EXPIRED = "expired"
    """The letter was deleted after ``EVENT_BUS_KAFKA_RETENTION`` days."""


class DeadLetterEntryQuerySet(models.QuerySet["DeadLetterEntry"]):
    """Reads and changes entries."""

    def note(self, letter: DeadLetter, state: EntryState, failures: Iterable[Mapping[str, Any]], by: str = "") -> None:
        """
        Write ``state`` for the receivers that ``failures`` name. ``by``: the stand-in that has succeeded in place of
        these receivers.
        """
        entries = [_entry(letter, state, failure, by) for failure in failures]
        if not entries:
            return
        has_target = connections[self.db].features.supports_update_conflicts_with_target
        self.bulk_create(
            sorted(entries, key=lambda one: one.pk.hex),  # concurrent writers lock rows in the same order
            update_conflicts=True,
            update_fields=["letter", "state", "error", "place", "attempts", "stand_in", "changed_at"],
            unique_fields=["id"] if has_target else None,
        )

    def close(self, letters: Sequence[int], state: EntryState) -> None:
        """Set ``state`` in each entry that belongs to one of ``letters`` (ids) and whose receiver is pending."""
        failed = self.filter(letter__in=letters, state=EntryState.FAILED)
        failed.update(state=state, changed_at=_now())

    def pending_by_receiver(self, receivers: Collection[str], most: int) -> Counter[str]:
        """
        Return receiver → number of dead letters for which it is pending. Reads at most ``most`` entries, from an index.
        If the numbers add up to ``most``, there may be further letters.
        """
        failed = self.filter(receiver__in=receivers, state=EntryState.FAILED).order_by()
        return Counter(failed.values_list("receiver", flat=True)[:most])

    def settled(self) -> DeadLetterEntryQuerySet:
        """Return the entries of receivers that are no longer pending, latest change first."""
        return self.exclude(state=EntryState.FAILED).order_by("-changed_at", "pk")

    def beyond(self, changed_at: int, pk: UUID) -> DeadLetterEntryQuerySet:
        """Return the entries that follow the entry with ``changed_at`` and ``pk`` in the order of :meth:`settled`."""
        same = models.Q(changed_at=changed_at, pk__gt=pk)
        return self.filter(models.Q(changed_at__lt=changed_at) | same, changed_at__lte=changed_at)

    def expired(self, before: int) -> DeadLetterEntryQuerySet:
        """
        Return the entries whose letters are deleted and whose last change was before a time (milliseconds since the
        epoch).
        """
        alive = DeadLetter.objects.using(self.db).filter(pk=models.OuterRef("letter"))
        return self.filter(~models.Exists(alive), changed_at__lt=before).order_by("changed_at", "pk")

    def remove(self, ids: Sequence[UUID]) -> int:
        """
        Delete rows one by one, because MySQL may scan the whole table for a list of ids. Return the number of deleted
        rows.
        """
        with transaction.atomic(using=self.db):
            return sum(self.filter(pk=one).delete()[0] for one in ids)


class DeadLetterEntry(models.Model):
    """
    The state of a dead letter for one receiver. An entry has no event data, and stays when the letter is deleted.

    Group, coordinates, event type and event id are copied from the letter. There is no foreign-key constraint, because
    the previous version of this package deletes letters and leaves their entries. A letter that the previous version
    stored gets its entries when this version first changes it, or with the daily deletion of old rows.
    """

    id = models.UUIDField(primary_key=True)
    """
    UUID computed from group, coordinates, event id and receiver. A unique index on these columns would be too long, and
    on MySQL it would ignore case.
    """
    letter = models.ForeignKey(DeadLetter, on_delete=models.DO_NOTHING, related_name="entries", db_constraint=False)
    """The dead letter. Its row may no longer exist."""
    group = models.CharField(max_length=255)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    event_type = models.CharField(max_length=255)
    event_id = models.CharField(max_length=36, db_index=True)
    receiver = models.CharField(max_length=500)
    """The receiver's name; empty: the record failed before any receiver was called."""
    state = models.CharField(max_length=16, choices=EntryState.choices)
    error = models.TextField()
    """Text of the receiver's last error; ``place`` is the line of code that raised the error."""
    place = models.TextField()
    attempts = models.IntegerField()
    """Number of calls of the receiver. Calls that failed because of an outage do not count."""
    stand_in = models.CharField(max_length=500)
    """Name of the receiver that has succeeded in place of ``receiver``; empty: no receiver has."""
    changed_at = models.BigIntegerField(db_index=True)
    """Time of the last change, in milliseconds since the epoch."""

    objects = DeadLetterEntryQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["topic", "partition", "offset"], name="event_bus_kafka_entry_record"),
            models.Index(fields=["receiver", "state"], name="event_bus_kafka_entry_receiver"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver or 'nobody'}, {self.state}: {self.topic}:{self.partition}:{self.offset}"


def _entry(letter: DeadLetter, state: EntryState, failure: Mapping[str, Any], by: str) -> DeadLetterEntry:
    place = {name: getattr(letter, name) for name in _IDENTITY}
    name = "\0".join([*map(str, place.values()), failure["receiver"]])
    return DeadLetterEntry(
        id=uuid5(_NAMESPACE, name),
        letter_id=letter.pk,
        event_type=letter.event_type,
        receiver=failure["receiver"][:500],
        state=state,
        error=failure["error"][:_LONGEST_TEXT],
        place=failure["place"][:_LONGEST_TEXT],
        attempts=failure["attempts"],
        stand_in=by[:500],
        changed_at=_now(),
        **place,
    )


def _now() -> int:
    return round(time() * 1000)
