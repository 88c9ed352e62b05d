"""
The tables of the outbox, and the operators' queries on them.

Events are appended by one prebuilt INSERT (``outbox/append.py``) and taken by statements that differ from server to
server (``relaying/statements.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from django.db import connections, models, transaction
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.models.batches import delete_in_batches

SHARDS = 16
"""Events of one key have one shard. A number that never changes: rows bear it."""
TOPICS_INDEX = "event_bus_kafka_outbox_topics"
_BATCH = 100
"""Parked rows that are put back in one transaction."""


class WriterSchema(models.Model):
    """
    Topic, subjects and schemas of one kind of events. Rows that wait refer to it, so that a later deploy changes
    nothing for them. Each process looks for its row in the first transaction that needs it, and writes it if there is
    none. Deliberately not unique: a unique index would make concurrent first writers wait for each other's transaction.
    The id is random, so that it never becomes another kind's.
    """

    digest = models.CharField(max_length=64, db_index=True)
    """Digest of all other columns."""
    topic = models.CharField(max_length=249)
    event_type = models.CharField(max_length=255)
    key_subject = models.CharField(max_length=600)
    key_schema = models.TextField()
    value_subject = models.CharField(max_length=600)
    value_schema = models.TextField()

    def __str__(self) -> str:
        return f"schema of {self.event_type} on {self.topic}"


class _Row(models.Model):
    """A record that is still to be sent. It has all that Kafka will get, except for the ids of the schemas."""

    shard = models.SmallIntegerField()
    topic = models.CharField(max_length=249)
    """Full name."""
    key = models.BinaryField()
    """Avro, not yet framed, as is the body."""
    body = models.BinaryField(null=True)
    """None: a tombstone."""
    headers = models.BinaryField()
    """Packed by ``wire.headers``, byte for byte; other headers, such as a trace's, have room too."""
    schema = models.ForeignKey(
        WriterSchema, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    created = models.BigIntegerField()
    """Milliseconds since the epoch."""
    size = models.IntegerField(null=True)
    """Bytes of key, body and headers; None: written by a version that did not count them."""

    class Meta:
        abstract = True


class OutboxRecord(_Row):
    """A record that waits for a relay. The order of ids is the order of a key's records."""

    id = models.BigAutoField(primary_key=True)

    class Meta:
        # relays plan a batch by one of them alone: InnoDB would read large bodies to tell their sizes
        indexes: ClassVar = [
            models.Index(fields=["shard", "id", "size"], name="event_bus_kafka_outbox_sizes"),
            models.Index(fields=["shard", "topic", "id", "size"], name=TOPICS_INDEX),  # while topics are held
        ]

    def __str__(self) -> str:
        return f"outbox row {self.pk} for {self.topic}"


class OutboxShard(models.Model):
    """
    A shard of the outbox. The relay that locks its row may send the shard's records. No foreign key refers to it: an
    insert would wait for the relay.
    """

    shard = models.SmallIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"shard {self.shard}"


class ParkedRecordQuerySet(models.QuerySet["ParkedRecord"]):
    """Queries and changes of parked rows."""

    def matching(
        self, *, ids: Collection[int] = (), topics: Collection[str] = (), code: str = ""
    ) -> ParkedRecordQuerySet:
        """Rows with these ids, of these topics (full names), with this code. Empty arguments do not restrict."""
        wanted = {"pk__in": ids, "topic__in": topics, "code": code}
        return self.filter(**{name: value for name, value in wanted.items() if value}).order_by("pk")

    def expired(self, before: int) -> ParkedRecordQuerySet:
        """Rows parked before a time, in milliseconds since the epoch."""
        return self.filter(parked_at__lt=before)

    def by_code(self) -> dict[str, int]:
        """The number of parked rows by code."""
        rows = self.order_by().values_list("code").annotate(count=models.Count("pk"))
        return dict(sorted(rows))

    def release(self) -> int:
        """Put rows back where they were, under the ids they had, some at a time; return how many."""
        return sum(self.release_in_batches())

    def release_in_batches(self) -> Iterator[int]:
        """As :meth:`release`; yield the number of each batch once that is committed."""
        ids = list(self.values_list("pk", flat=True))
        for start in range(0, len(ids), _BATCH):
            yield self._put_back(ids[start : start + _BATCH])

    def _put_back(self, ids: list[int]) -> int:
        """Put rows back by a statement, so that only the server copies their bodies, which may be large."""
        rows, quote = ParkedRecord.objects.using(self.db).filter(pk__in=ids), connections[self.db].ops.quote_name
        columns = ", ".join(quote(field.attname) for field in OutboxRecord._meta.concrete_fields)
        with transaction.atomic(using=self.db):
            found = list(rows.select_for_update().values_list("pk", flat=True))
            with connections[self.db].cursor() as cursor:
                cursor.executemany(
                    f"INSERT INTO {OutboxRecord._meta.db_table} ({columns}) "
                    f"SELECT {columns} FROM {ParkedRecord._meta.db_table} WHERE id = %s",
                    [[number] for number in found],
                )
            rows.filter(pk__in=found).delete()
        return len(found)

    def discard(self) -> int:
        """Delete rows for good; return how many."""
        return self.delete()[0]

    def discard_in_batches(self) -> Iterator[int]:
        """Delete rows for good, some at a time; yield the number of each batch once that is committed."""
        rows = ParkedRecord.objects.using(self.db)
        return delete_in_batches(self, lambda ids: rows.matching(ids=ids).discard())


class ParkedRecord(_Row):
    """A record that Kafka refuses and no repetition will make it take, until somebody releases or discards it."""

    id = models.BigIntegerField(primary_key=True)
    """The id that it had in the outbox."""
    code = models.CharField(max_length=64)
    """Kafka's name of the error, such as ``MSG_SIZE_TOO_LARGE``."""
    reason = models.CharField(max_length=255)
    parked_at = models.BigIntegerField()
    """Milliseconds since the epoch."""

    objects: Any = ParkedRecordQuerySet.as_manager()

    class Meta:
        # for relays that look whether a key waits for one of these: key itself may be too long for an index
        indexes: ClassVar = [models.Index(fields=["shard", "topic"], name="event_bus_kafka_parked")]
        verbose_name = _("parked event")
        verbose_name_plural = _("outbox")

    def __str__(self) -> str:
        return f"parked row {self.pk} for {self.topic}: {self.code}"
