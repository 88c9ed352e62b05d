"""The table of dead letters."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db import models

from event_bus_kafka.models.moments import MomentField
from event_bus_kafka.wire.records import ConsumerRecord, Headers

_BATCH = 500
"""Rows deleted at a time."""


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    """Dead letters, in the words of those who handle them."""

    def store(
        self, record: ConsumerRecord, *, group: str, event_id: str, failed_at: datetime, **values: Any
    ) -> DeadLetter:
        """Keep a record that failed for good; the row of the same failure is brought up to date."""
        contents = {
            "timestamp": record.timestamp,
            "key": record.key,
            "value": record.value,
            "headers": to_json(record.headers),
            "last_failed_at": failed_at,
            **values,
        }
        letter, is_new = self.get_or_create(
            group=group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_id=event_id,
            defaults=contents | {"first_failed_at": failed_at},
        )
        if not is_new:
            for name, content in contents.items():
                setattr(letter, name, content)
            letter.save()
        return letter

    def expired(self, before: datetime) -> DeadLetterQuerySet:
        """Those that failed last before a time."""
        return self.filter(last_failed_at__lt=before)

    def matching(self, *, group: str = "", topics: Collection[str] = (), event_type: str = "") -> DeadLetterQuerySet:
        """Those of a group, of topics (full names), of an event type; what is empty does not restrict."""
        wanted = {"group": group, "topic__in": topics, "event_type": event_type}
        return self.filter(**{name: value for name, value in wanted.items() if value})

    def without_contents(self) -> DeadLetterQuerySet:
        """Rows whose key, value and headers stay in the database until they are asked for."""
        return self.defer("key", "value", "headers")

    def in_order(self) -> DeadLetterQuerySet:
        """As their records stand in Kafka."""
        return self.order_by("topic", "partition", "offset", "pk")

    def latest_first(self) -> DeadLetterQuerySet:
        """Those that failed last first."""
        return self.order_by("-last_failed_at", "-pk")

    def has_failed_since(self, record: ConsumerRecord, *, group: str, event_id: str, time: datetime) -> bool:
        """Whether a record's dead letter is here and failed at that time or later."""
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        return self.filter(group=group, event_id=event_id, last_failed_at__gte=time, **place).exists()

    def claim(self, letter: DeadLetter) -> bool:
        """Count an attempt at a replay; False if somebody else has been at it since it was read."""
        seen = self.filter(pk=letter.pk, attempts=letter.attempts)
        if not seen.update(attempts=letter.attempts + 1):
            return False
        letter.attempts += 1
        return True

    def keep(self, letter: DeadLetter, failures: list[dict[str, str]], *, failed_at: datetime) -> None:
        """Write down what a claimed one still fails at; one that is gone stays gone."""
        self.filter(pk=letter.pk).update(failures=failures, last_failed_at=failed_at)

    def give_back(self, letter: DeadLetter, failures: list[dict[str, str]]) -> None:
        """Take back a claim, of an attempt that does not count."""
        self.filter(pk=letter.pk, attempts=letter.attempts).update(failures=failures, attempts=letter.attempts - 1)

    def remove(self, ids: Sequence[int]) -> int:
        """Delete rows, some at a time: no long locks, no long transaction. Return how many there were."""
        parts = [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
        return sum(self.filter(pk__in=part).delete()[0] for part in parts)


class DeadLetter(models.Model):
    """A record that this service's receivers could not take, exactly as it came."""

    group = models.CharField(max_length=255)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    timestamp = models.BigIntegerField(null=True)
    """Of the record, in milliseconds since the epoch."""
    key = models.BinaryField(null=True)
    value = models.BinaryField(null=True)
    headers = models.JSONField()
    event_type = models.CharField(max_length=255)
    event_id = models.CharField(max_length=36)
    failures = models.JSONField()
    """A list of objects with receiver, error and place."""
    attempts = models.IntegerField()
    first_failed_at = MomentField()
    last_failed_at = MomentField(db_index=True)

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["group", "topic", "partition", "offset", "event_id"], name="event_bus_kafka_dead_letter"
            )
        ]

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
    def failed_receivers(self) -> list[str]:
        """Names of the receivers that have still to succeed; empty where none had its turn."""
        return [failure["receiver"] for failure in self.failures if failure["receiver"]]


def to_json(headers: Headers) -> list[list[Any]]:
    """Return headers as JSON: pairs in order, texts as they are, what is no text in base64."""
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
