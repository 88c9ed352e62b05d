"""
The tables of the outbox, and the operators' queries on them.

Events are inserted by one prebuilt statement (``outbox/append.py``). Relays read rows by statements that depend on the
kind of database (``relaying/statements.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from django.db import connections, models, transaction
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.models.batches import delete_in_batches

SHARDS = 16
"""
Number of shards. All events of one key are in one shard. Never change this number, because stored rows contain shard
numbers.
"""
TOPICS_INDEX = "event_bus_kafka_outbox_topics"
_BATCH = 100
"""Maximum number of parked rows released in one transaction."""


class WriterSchema(models.Model):
    """
    Topic, subjects and schemas with which events of one type were encoded. Waiting rows of the outbox refer to a row of
    this table, so that a later deploy does not change how these events are sent.

    Each process looks for its row in the first transaction that needs the row, and inserts the row if it is missing.
    Rows are deliberately not unique: a unique index would make concurrent first writers wait for each other's
    transaction. Ids are random, so that the id of a deleted row is never used for another schema.
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
    """
    A record that waits in the outbox or is parked. Its columns contain everything that Kafka is to receive, except the
    schema ids.
    """

    shard = models.SmallIntegerField()
    topic = models.CharField(max_length=249)
    """Full name of the topic."""
    key = models.BinaryField()
    """Key in Avro, without schema id."""
    body = models.BinaryField(null=True)
    """Value in Avro, without schema id; None: the record is a tombstone."""
    headers = models.BinaryField()
    """All headers, including headers for tracing, packed into bytes by ``wire.headers``."""
    schema = models.ForeignKey(
        WriterSchema, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    created = models.BigIntegerField()
    """Time at which the row was inserted, in milliseconds since the epoch."""
    size = models.IntegerField(null=True)
    """Size of key, body and headers, in bytes; None: an earlier version inserted the row without a size."""

    class Meta:
        abstract = True


class OutboxRecord(_Row):
    """A record that waits for a relay. Records of one key are sent in the order of their ids."""

    id = models.BigAutoField(primary_key=True)

    class Meta:
        # relays plan a batch from one of these indexes alone; to read `size` from the table, InnoDB would read the body
        indexes: ClassVar = [
            models.Index(fields=["shard", "id", "size"], name="event_bus_kafka_outbox_sizes"),
            models.Index(fields=["shard", "topic", "id", "size"], name=TOPICS_INDEX),  # used while topics are held
        ]

    def __str__(self) -> str:
        return f"outbox row {self.pk} for {self.topic}"


class OutboxShard(models.Model):
    """
    A shard of the outbox. A relay sends the shard's records while it holds the lock of this row. Records have no
    foreign key to this table, because an insert would wait for the relay's lock.
    """

    shard = models.SmallIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"shard {self.shard}"


class ParkedRecordQuerySet(models.QuerySet["ParkedRecord"]):
    """Reads and changes parked rows."""

    def matching(
        self, *, ids: Collection[int] = (), topics: Collection[str] = (), code: str = ""
    ) -> ParkedRecordQuerySet:
        """Return the rows with these ids, topics (full names) and error code. An empty argument matches all rows."""
        wanted = {"pk__in": ids, "topic__in": topics, "code": code}
        return self.filter(**{name: value for name, value in wanted.items() if value}).order_by("pk")

    def expired(self, before: int) -> ParkedRecordQuerySet:
        """Return the rows parked before a time (milliseconds since the epoch)."""
        return self.filter(parked_at__lt=before)

    def by_code(self) -> dict[str, int]:
        """Return error code → number of parked rows."""
        rows = self.order_by().values_list("code").annotate(count=models.Count("pk"))
        return dict(sorted(rows))

    def release(self) -> int:
        """
        Move the parked rows back into the outbox, in batches, with their former ids. Return the number of moved rows.
        """
        return sum(self.release_in_batches())

    def release_in_batches(self) -> Iterator[int]:
        """Do the same as :meth:`release`. Yield the number of moved rows after the commit of each batch."""
        ids = list(self.values_list("pk", flat=True))
        for start in range(0, len(ids), _BATCH):
            yield self._put_back(ids[start : start + _BATCH])

    def _put_back(self, ids: list[int]) -> int:
        """
        Move rows by SQL, so that large bodies are copied only inside the database server. Return the number of moved
        rows.
        """
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
        """Delete the rows. Return the number of deleted rows."""
        return self.delete()[0]

    def discard_in_batches(self) -> Iterator[int]:
        """Delete the rows permanently, in batches. Yield the number of deleted rows after the commit of each batch."""
        rows = ParkedRecord.objects.using(self.db)
        return delete_in_batches(self, lambda ids: rows.matching(ids=ids).discard())


class ParkedRecord(_Row):
    """
    A record that cannot be sent: Kafka refuses it permanently, or its row is unreadable. It is kept until an operator
    releases or discards it, but not for longer than EVENT_BUS_KAFKA_RETENTION days.
    """

    id = models.BigIntegerField(primary_key=True)
    """The former id in the outbox."""
    code = models.CharField(max_length=64)
    """The error code from ``kafka/error_codes.py``, such as ``MSG_SIZE_TOO_LARGE``."""
    reason = models.CharField(max_length=255)
    parked_at = models.BigIntegerField()
    """Time at which the row was parked, in milliseconds since the epoch."""

    objects: Any = ParkedRecordQuerySet.as_manager()

    class Meta:
        # relays search parked rows of a key by this index: the key itself may be too long for an index
        indexes: ClassVar = [models.Index(fields=["shard", "topic"], name="event_bus_kafka_parked")]
        verbose_name = _("parked event")
        verbose_name_plural = _("outbox")

    def __str__(self) -> str:
        return f"parked row {self.pk} for {self.topic}: {self.code}"
