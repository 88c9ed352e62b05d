"""The table of history: how many events were sent and received, and how often receivers were called, in each period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar
from uuid import UUID, uuid5

import attrs
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.models.upserts import Sql, upsert

MINUTE, QUARTER, HOUR = SPANS = 60, 900, 3_600
"""Lengths of the periods that a row may cover, in seconds."""
_NAMESPACE = UUID("0c8f5d0a-3a0e-4f0c-9b43-6f7c1b1f7f2e")


@attrs.frozen(kw_only=True, order=True)
class Line:
    """The labels of a count. Counts with equal labels are added up."""

    service: str
    event_type: str
    receiver: str
    """Name of the receiver whose calls are counted; empty: events are counted."""
    outcome: str


@attrs.frozen(kw_only=True)
class Sums:
    """A number of events or calls, and their durations: the sum and the longest, in seconds."""

    count: int
    seconds: float
    longest: float

    @classmethod
    def total(cls, several: Iterable[Sums]) -> Sums:
        """Return the total of ``several``, which must not be empty."""
        counts, seconds, longest = zip(*map(attrs.astuple, several), strict=True)
        return cls(count=sum(counts), seconds=sum(seconds), longest=max(longest))


class HistoryQuerySet(models.QuerySet["HistoryRow"]):
    """Reads and changes the history."""

    def add(self, line: Line, sums: Sums, *, span: int, begins: int) -> None:
        """
        Add ``sums`` to the row with the labels ``line`` for a period of ``span`` seconds. Insert the row if it is
        missing. ``begins``: beginning of the period, in milliseconds since the epoch. Sends one SQL statement.
        """
        row = row_id(line, span, begins)
        upsert(
            self.model,
            self.db,
            insert={"id": row, "span": span, "begins": begins, **attrs.asdict(line), **attrs.asdict(sums)},
            change={
                "count": Sql("{column} + %s", (sums.count,)),
                "seconds": Sql("{column} + %s", (sums.seconds,)),
                "longest": Sql("CASE WHEN {column} < %s THEN %s ELSE {column} END", (sums.longest, sums.longest)),
            },
        )

    def fold(self, before: int, *, span: int, into: int) -> Iterator[int]:
        """
        Merge rows that cover ``span`` seconds into rows that cover ``into`` seconds. Only periods of ``into`` seconds
        that end at or before ``before`` (milliseconds since the epoch) are merged. After each new row, yield the number
        of rows merged into it. Stop if another process has changed or deleted one of the rows meanwhile.
        """
        length = into * 1000
        short = self.filter(span=span, begins__lt=before - before % length).order_by("begins")
        while (first := short.first()) is not None:
            begins = first.begins - first.begins % length
            by_line: defaultdict[Line, list[HistoryRow]] = defaultdict(list)  # not in SQL: a database may ignore case
            for row in short.filter(begins__gte=begins, begins__lt=begins + length):
                by_line[row.line].append(row)
            for line, rows in sorted(by_line.items()):
                if not self._fold_line(line, rows, into, begins):
                    return
                yield len(rows)

    def _fold_line(self, line: Line, rows: list[HistoryRow], span: int, begins: int) -> bool:
        with transaction.atomic(using=self.db):
            if not all(self._take(row) for row in sorted(rows, key=lambda row: row.pk.hex)):
                transaction.set_rollback(True, using=self.db)
                return False
            self.add(line, Sums.total(row.sums for row in rows), span=span, begins=begins)
        return True

    def _take(self, row: HistoryRow) -> bool:
        """Delete a row unless its count has changed since it was read. Return whether the row was deleted."""
        return self.filter(pk=row.pk, count=row.count).delete()[0] == 1

    def expired(self, before: int, span: int) -> HistoryQuerySet:
        """Return the rows that cover ``span`` seconds and begin before a time (milliseconds since the epoch)."""
        return self.filter(span=span, begins__lt=before).order_by("begins", "pk")

    def remove(self, ids: list[UUID]) -> int:
        """
        Delete rows one by one, because MySQL may scan the whole table for a list of ids. Return the number of deleted
        rows.
        """
        return sum(self.filter(pk=one).delete()[0] for one in ids)


class HistoryRow(models.Model):
    """
    The number and the durations of events of one type, or of calls of one receiver, with the same outcome in one
    period. All processes of a service add to the same row. Each process adds its counts within a minute, unless the
    database is unavailable. Rows of a minute are later merged into rows of a quarter of an hour, and finally of an
    hour. All times come from the database's clock.
    """

    id = models.UUIDField(primary_key=True)
    """
    UUID computed from labels, span and beginning. A unique index on these columns would be too long, and on MySQL it
    would ignore case.
    """
    span = models.IntegerField()
    """Length of the period, in seconds: one of :data:`SPANS`."""
    begins = models.BigIntegerField()
    """Beginning of the period, in milliseconds since the epoch."""
    service = models.CharField(max_length=255)
    event_type = models.CharField(max_length=255)
    receiver = models.CharField(max_length=500)
    """Name of the receiver whose calls are counted, written as in dead letters; empty: the row counts events."""
    outcome = models.CharField(max_length=32)
    count = models.BigIntegerField()
    seconds = models.FloatField()
    """Sum of the durations, in seconds; 0 if durations are not measured."""
    longest = models.FloatField()
    """The longest duration, in seconds."""

    objects: Any = HistoryQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["span", "begins"], name="event_bus_kafka_history")]
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return f"{self.count} × {self.event_type} {self.receiver} {self.outcome}"

    @property
    def line(self) -> Line:
        """The labels of the row."""
        return Line(service=self.service, event_type=self.event_type, receiver=self.receiver, outcome=self.outcome)

    @property
    def sums(self) -> Sums:
        """The numbers of the row."""
        return Sums(count=self.count, seconds=self.seconds, longest=self.longest)


def row_id(line: Line, span: int, begins: int) -> UUID:
    """Return the primary key of a row."""
    return uuid5(_NAMESPACE, "\0".join([*attrs.astuple(line), str(span), str(begins)]))
