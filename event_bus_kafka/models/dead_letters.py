"""The table of dead letters."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.apps import apps
from django.db import connections, models, router, transaction
from django.db.models import functions
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.models.batches import few_distinct
from event_bus_kafka.models.moments import MomentField
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.wire.records import ConsumerRecord, Headers

_BATCH = 500
"""Rows deleted at a time."""
_FEW_GROUPS = 4
"""Groups of a service that are looked at one by one."""


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    """Queries and changes of dead letters."""

    def store(
        self,
        record: ConsumerRecord,
        *,
        group: str,
        event_id: str,
        failed_at: datetime,
        left_out: dict[str, Any] | None,
        merged: Callable[[DeadLetter | None], list[dict[str, Any]]],
        **values: Any,
    ) -> DeadLetter:
        """
        Keep a record that failed for good; the row of the same record is brought up to date.

        ``merged`` returns the failures to write, of the row as it is, locked, or None where there is none yet.
        ``left_out`` needs the column: see :meth:`keeps_entries`.
        """
        contents = {
            "timestamp": record.timestamp,
            "key": record.key,
            "value": record.value,
            "headers": to_json(record.headers),
            "last_failed_at": failed_at,
            **values,
        }
        if self.keeps_entries():
            contents["left_out"] = left_out
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        identity = {"group": group, "event_id": event_id, **place}
        new = contents | {"failures": merged(None), "first_failed_at": failed_at}
        rows = self.for_writing()
        letter, is_new = rows.get_or_create(**identity, defaults=new)
        if is_new:
            return letter
        before = rows.select_for_update().filter(pk=letter.pk).first()
        if before is None:  # a replay has just deleted it
            return rows.create(**identity, **new)
        for name, content in (contents | {"failures": merged(before)}).items():
            setattr(before, name, content)
        before.save()
        return before

    def for_writing(self) -> DeadLetterQuerySet:
        """Rows of the database that is written to: decisions are made on nothing else."""
        return self.using(self._db or router.db_for_write(self.model))  # type: ignore[attr-defined]

    def keeps_entries(self) -> bool:
        """
        Whether the database has the table of entries and the column of left-out parts. Raises a database error if it
        does not answer.
        """
        connection = connections[self.for_writing().db]
        return were_found(connection, apps.get_model(self.model._meta.app_label, "DeadLetterEntry"))

    def expired(self, before: datetime) -> DeadLetterQuerySet:
        """Letters whose last failure was before a time."""
        return self.filter(last_failed_at__lt=before)

    def matching(
        self,
        *,
        group: str = "",
        topics: Collection[str] = (),
        event_type: str = "",
        event_id: str = "",
        place: tuple[int, int] | None = None,
    ) -> DeadLetterQuerySet:
        """
        Letters with these values; ``topics``: full names; ``place``: partition and offset. Empty arguments do not
        restrict.
        """
        wanted = {"group": group, "topic__in": topics, "event_type": event_type, "event_id": event_id}
        rows = self.filter(**{name: value for name, value in wanted.items() if value})
        if place and not group and (groups := few_distinct(self, "group", _FEW_GROUPS)) is not None:
            rows = rows.filter(group__in=groups)  # else no index narrows by the place
        return rows.filter(partition=place[0], offset=place[1]) if place else rows

    def failed_between(self, since: datetime | None, until: datetime | None) -> DeadLetterQuerySet:
        """Letters whose last failure was from ``since`` to ``until``, both included; None does not restrict."""
        moments = {"last_failed_at__gte": since, "last_failed_at__lte": until}
        return self.filter(**{name: moment for name, moment in moments.items() if moment})

    def with_key(self, bodies: Collection[bytes], *, behind: int) -> DeadLetterQuerySet:
        """
        Letters whose key, without its first ``behind`` bytes, is one of ``bodies``. The database looks at each row.
        """
        body = functions.Substr("key", behind + 1, output_field=models.BinaryField())
        return self.annotate(key_body=body).filter(key_body__in=bodies)

    def beyond(self, failed_at: datetime, pk: int) -> DeadLetterQuerySet:
        """Letters that come after the given one in :meth:`latest_first`."""
        same = models.Q(last_failed_at=failed_at, pk__lt=pk)
        return self.filter(models.Q(last_failed_at__lt=failed_at) | same, last_failed_at__lte=failed_at)

    def without_contents(self) -> DeadLetterQuerySet:
        """Rows whose key, value and headers stay in the database until they are asked for."""
        return self.with_marks().defer("key", "value", "headers")

    def with_marks(self) -> DeadLetterQuerySet:
        """Rows with :attr:`DeadLetter.left_out`, where the database has it."""
        return self.defer(None) if self.keeps_entries() else self

    def in_order(self) -> DeadLetterQuerySet:
        """Letters in the order of their records in Kafka."""
        return self.order_by("topic", "partition", "offset", "pk")

    def latest_first(self, *, sorts: bool = False) -> DeadLetterQuerySet:
        """Letters in the order of their last failures, the latest first; ``sorts``: found by no index of that order."""
        moment = functions.Coalesce("last_failed_at", "last_failed_at") if sorts else models.F("last_failed_at")
        return self.order_by(moment.desc(), "-pk")

    def has_failed_since(self, record: ConsumerRecord, *, group: str, event_id: str, time: datetime) -> bool:
        """Whether a record's dead letter is here and failed at that time or later."""
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        return self.filter(group=group, event_id=event_id, last_failed_at__gte=time, **place).exists()

    def lacking_entries(self) -> DeadLetterQuerySet:
        """Letters stored by a version without entries. Needs the table of entries."""
        return self.filter(entries=None).defer(None).defer("key", "value", "headers", "left_out").order_by("pk")

    def record_keys(self, ids: Sequence[int]) -> Mapping[int, bytes | None]:
        """Return the keys of the letters' records, by id; ids without a letter are left out."""
        found = self.filter(pk__in=ids).values_list("pk", "key")
        return {pk: _bytes(key) for pk, key in found}

    def count_attempt(self, letter: DeadLetter) -> None:
        """Count an attempt at a replay."""
        self.filter(pk=letter.pk).update(attempts=models.F("attempts") + 1)

    def locked(self, letter: DeadLetter) -> DeadLetter | None:
        """Return the row as it is now, but for contents; nobody changes it before the transaction's end."""
        rows = self.defer(None).defer("key", "value", "headers", "left_out")
        return rows.select_for_update().filter(pk=letter.pk).first()

    def remove(self, seen: Mapping[int, datetime], after_each: Callable[[Sequence[int]], None]) -> int:
        """
        Delete the letters ``seen`` (id → time of the last failure). A letter that has failed again since stays.

        Letters are deleted some at a time, lest locks and transactions last long; ``after_each`` is called with the ids
        of each portion, in its transaction. Return the number deleted.
        """
        ids = list(seen)
        parts = [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
        return sum(self._remove(part, seen, after_each) for part in parts)

    def _remove(
        self, ids: Sequence[int], seen: Mapping[int, datetime], after_each: Callable[[Sequence[int]], None]
    ) -> int:
        rows = self.for_writing()
        with transaction.atomic(using=rows.db):
            there = rows.select_for_update().filter(pk__in=ids).values_list("pk", "last_failed_at")
            found = [pk for pk, failed_at in there if failed_at == seen[pk]]
            rows.filter(pk__in=found).delete()
            after_each(found)
        return len(found)


_Manager = models.Manager.from_queryset(DeadLetterQuerySet)


class DeadLetterManager(_Manager["DeadLetter"]):
    """Leaves out the newest column unless it is asked for: the table may not have it yet."""

    def get_queryset(self) -> DeadLetterQuerySet:
        rows: DeadLetterQuerySet = super().get_queryset()  # type: ignore[assignment]
        return rows.defer("left_out")


class DeadLetter(models.Model):
    """A record that this service's receivers could not take, exactly as it came."""

    group = models.CharField(max_length=255)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    timestamp = models.BigIntegerField(null=True)
    """The record's time, in milliseconds since the epoch."""
    key = models.BinaryField(null=True)
    value = models.BinaryField(null=True)
    headers = models.JSONField()
    event_type = models.CharField(max_length=255)
    event_id = models.CharField(max_length=36)
    failures = models.JSONField()
    """
    The pending receivers: a list of objects with receiver, error and place, and, except for the version before,
    attempts, failed_at, instead_of, claimed_until.
    """
    attempts = models.IntegerField()
    first_failed_at = MomentField()
    last_failed_at = MomentField(db_index=True)
    left_out = models.JSONField(null=True)
    """
    Part of the record (value, headers, key, texts) that the table refused → its size and sha256. The part's own column
    is then empty, never null. None: nothing was left out.
    """

    objects = DeadLetterManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["group", "topic", "partition", "offset", "event_id"], name="event_bus_kafka_dead_letter"
            )
        ]
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")

    def __str__(self) -> str:
        return f"dead letter {self.pk}: {self.topic}:{self.partition}:{self.offset}"

    @property
    def record(self) -> ConsumerRecord:
        """The record as it came."""
        return ConsumerRecord(
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            timestamp=self.timestamp,
            key=_bytes(self.key),
            value=_bytes(self.value),
            headers=from_json(self.headers),
        )

    @property
    def marks(self) -> dict[str, dict[str, Any]]:
        """Notes on each part that was left out; empty also if the column is missing or was not read."""
        return {} if "left_out" in self.get_deferred_fields() else self.left_out or {}

    @property
    def failed_receivers(self) -> list[str]:
        """Names of the receivers that have still to succeed; empty where none had its turn."""
        return [failure["receiver"] for failure in self.failures if failure["receiver"]]

    def _do_insert(self, manager: Any, using: str, fields: Any, *others: Any, **named: Any) -> Any:
        """Without the column that a table lacks before its migration. Django asks for all columns otherwise."""
        if not DeadLetter.objects.using(using).keeps_entries():
            fields = [field for field in fields if field.name != "left_out"]
        return super()._do_insert(manager, using, fields, *others, **named)  # type: ignore[misc]


def to_json(headers: Headers) -> list[list[Any]]:
    """Return headers as JSON: pairs in order, bytes that are no text in base64."""
    return [[name, _to_json(value)] for name, value in headers]


def from_json(pairs: list[list[Any]]) -> Headers:
    """Return the headers, to the byte."""
    return tuple((name, _from_json(value)) for name, value in pairs)


def _to_json(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    return {"base64": b64encode(value).decode()} if "\0" in text else text  # PostgreSQL's JSON has no NUL


def _from_json(value: Any) -> bytes | None:
    if isinstance(value, dict):
        return b64decode(value["base64"])
    return None if value is None else str(value).encode()


def _bytes(value: Any) -> bytes | None:
    """BinaryField gives bytes or memoryview, as the driver likes."""
    return None if value is None else bytes(value)
