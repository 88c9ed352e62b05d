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
"""Maximum number of letters that one transaction deletes."""


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    """Reads and changes dead letters."""

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
        Store a record that has failed for good, or update the existing row of the same record.

        ``merged``: returns the failures to write. It is first called with None, to get the failures for a new row. If
        the row already exists, it is locked, and ``merged`` is called again with the row. ``left_out``: ignored if the
        table lacks this column (see :meth:`keeps_entries`).
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
        if before is None:  # a replay has just deleted the row
            return rows.create(**identity, **new)
        for name, content in (contents | {"failures": merged(before)}).items():
            setattr(before, name, content)
        before.save()
        return before

    def for_writing(self) -> DeadLetterQuerySet:
        """Return a query on the database for writing, because decisions need current rows, which a replica may lack."""
        return self.using(self._db or router.db_for_write(self.model))  # type: ignore[attr-defined]

    def keeps_entries(self) -> bool:
        """
        Whether the database has the table of entries, and so also the column ``left_out``: one migration adds both.
        Raises a database error if the database does not answer.
        """
        connection = connections[self.for_writing().db]
        return were_found(connection, apps.get_model(self.model._meta.app_label, "DeadLetterEntry"))

    def expired(self, before: datetime) -> DeadLetterQuerySet:
        """Return the letters whose last failure was before a time."""
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
        Return the letters with these values. ``topics``: full names. ``place``: partition and offset. An empty argument
        matches all letters.
        """
        wanted = {"group": group, "topic__in": topics, "event_type": event_type, "event_id": event_id}
        rows = self.filter(**{name: value for name, value in wanted.items() if value})
        if place and not group and (groups := few_distinct(self, "group")) is not None:
            rows = rows.filter(group__in=groups)  # so that the index can be used, which begins with the group
        return rows.filter(partition=place[0], offset=place[1]) if place else rows

    def failed_between(self, since: datetime | None, until: datetime | None) -> DeadLetterQuerySet:
        """Return the letters whose last failure was from ``since`` to ``until``, both included; None means no limit."""
        moments = {"last_failed_at__gte": since, "last_failed_at__lte": until}
        return self.filter(**{name: moment for name, moment in moments.items() if moment})

    def with_key(self, bodies: Collection[bytes], *, behind: int) -> DeadLetterQuerySet:
        """Return the letters whose key, without its first ``behind`` bytes, is one of ``bodies``. Scans all rows."""
        body = functions.Substr("key", behind + 1, output_field=models.BinaryField())
        return self.annotate(key_body=body).filter(key_body__in=bodies)

    def beyond(self, failed_at: datetime, pk: int) -> DeadLetterQuerySet:
        """Return the letters that come after the given time and id in the order of :meth:`latest_first`."""
        same = models.Q(last_failed_at=failed_at, pk__lt=pk)
        return self.filter(models.Q(last_failed_at__lt=failed_at) | same, last_failed_at__lte=failed_at)

    def without_contents(self) -> DeadLetterQuerySet:
        """Defer key, value and headers. Read ``left_out`` if the database has this column."""
        return self.with_marks().defer("key", "value", "headers")

    def with_marks(self) -> DeadLetterQuerySet:
        """Read the column :attr:`DeadLetter.left_out`, which is deferred by default, if the database has it."""
        return self.defer(None) if self.keeps_entries() else self

    def in_order(self) -> DeadLetterQuerySet:
        """Sort the letters by their records' coordinates."""
        return self.order_by("topic", "partition", "offset", "pk")

    def latest_first(self, *, sorts: bool = False) -> DeadLetterQuerySet:
        """Sort by last failure, latest first. ``sorts``: sort without an index, which is faster for few rows."""
        moment = functions.Coalesce("last_failed_at", "last_failed_at") if sorts else models.F("last_failed_at")
        return self.order_by(moment.desc(), "-pk")

    def has_failed_since(self, record: ConsumerRecord, *, group: str, event_id: str, time: datetime) -> bool:
        """Whether the table contains the record's dead letter, with a last failure at ``time`` or later."""
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        return self.filter(group=group, event_id=event_id, last_failed_at__gte=time, **place).exists()

    def lacking_entries(self) -> DeadLetterQuerySet:
        """Return letters that an earlier version stored without entries. The table of entries must exist."""
        return self.filter(entries=None).defer(None).defer("key", "value", "headers", "left_out").order_by("pk")

    def record_keys(self, ids: Sequence[int]) -> Mapping[int, bytes | None]:
        """Return id of the letter → key of its record. Ids without a letter are left out."""
        found = self.filter(pk__in=ids).values_list("pk", "key")
        return {pk: _bytes(key) for pk, key in found}

    def count_attempt(self, letter: DeadLetter) -> None:
        """Add one to the letter's number of attempts."""
        self.filter(pk=letter.pk).update(attempts=models.F("attempts") + 1)

    def locked(self, letter: DeadLetter) -> DeadLetter | None:
        """
        Lock the letter's row until the end of the transaction. Return the letter without key, value and headers; None:
        the letter was deleted.
        """
        rows = self.defer(None).defer("key", "value", "headers", "left_out")
        return rows.select_for_update().filter(pk=letter.pk).first()

    def remove(self, seen: Mapping[int, datetime], after_each: Callable[[Sequence[int]], None]) -> int:
        """
        Delete the letters ``seen`` (id → time of the last failure) in batches. Return the number of deleted letters.

        A letter that has failed again after that time is not deleted. ``after_each``: called with the deleted ids of
        each batch, in the batch's transaction.
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
    """The manager, which defers the newest column by default because the table may not have this column yet."""

    def get_queryset(self) -> DeadLetterQuerySet:
        rows: DeadLetterQuerySet = super().get_queryset()  # type: ignore[assignment]
        return rows.defer("left_out")


class DeadLetter(models.Model):
    """A record that was given up, stored byte for byte, except for parts that the table cannot hold."""

    group = models.CharField(max_length=255)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    timestamp = models.BigIntegerField(null=True)
    """The record's timestamp, in milliseconds since the epoch."""
    key = models.BinaryField(null=True)
    value = models.BinaryField(null=True)
    headers = models.JSONField()
    event_type = models.CharField(max_length=255)
    event_id = models.CharField(max_length=36)
    failures = models.JSONField()
    """
    The pending receivers: those that have failed and have not succeeded since. A list of objects with the attributes of
    ``Failure`` in ``dead_letters/letter.py``. The previous version writes only receiver, error and place.
    """
    attempts = models.IntegerField()
    first_failed_at = MomentField()
    last_failed_at = MomentField(db_index=True)
    left_out = models.JSONField(null=True)
    """
    Name of a part that the table cannot hold (value, headers, key, texts) → size and sha256 of the part. The column of
    a missing part is empty, not null. None: the table has all parts.
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
        """The record that Kafka delivered. Parts that were left out are empty."""
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
        """
        Name of a part that was left out → size and sha256 of the part. Empty if no part was left out, or if the column
        ``left_out`` is missing or deferred.
        """
        return {} if "left_out" in self.get_deferred_fields() else self.left_out or {}

    @property
    def failed_receivers(self) -> list[str]:
        """Names of the pending receivers. Empty if the record failed before any receiver was called."""
        return [failure["receiver"] for failure in self.failures if failure["receiver"]]

    def _do_insert(self, manager: Any, using: str, fields: Any, *others: Any, **named: Any) -> Any:
        """Insert without ``left_out`` if the column is not migrated yet. Django would insert all columns."""
        if not DeadLetter.objects.using(using).keeps_entries():
            fields = [field for field in fields if field.name != "left_out"]
        return super()._do_insert(manager, using, fields, *others, **named)  # type: ignore[misc]


def to_json(headers: Headers) -> list[list[Any]]:
    """Return headers as JSON values: a list of pairs, in order. A value that is not text is encoded in base64."""
    return [[name, _to_json(value)] for name, value in headers]


def from_json(pairs: list[list[Any]]) -> Headers:
    """Return the original headers from the result of :func:`to_json`."""
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
    """Convert a BinaryField's value to bytes, because some database drivers return a memoryview."""
    return None if value is None else bytes(value)
