"""Reads dead letters in tests, either from a table or from a topic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import attrs
from confluent_kafka import Message
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from event_bus_kafka.dead_letters import topic_store as on_topic
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dead_letters.pending import of_row
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.wire.records import ConsumerRecord
from tests.services.bus import Bus
from tests.support.databases import connected


class Kept(ABC):
    """A store for the dead letters of a service."""

    settings: dict[str, Any]

    @abstractmethod
    def read(self, count: int) -> list[Letter]:
        """
        Return all dead letters in the order of their offsets. A topic is first read until it has ``count`` dead
        letters.
        """


@attrs.frozen
class OnTopic(Kept):
    """
    A topic for dead letters. On a real Kafka, the topic does not exist before :meth:`create`. The sandbox creates the
    topic on first use.
    """

    bus: Bus
    group: str
    settings: dict[str, Any] = attrs.field(factory=lambda: {"EVENT_BUS_KAFKA_DEAD_LETTERS": "topic"})

    def create(self) -> OnTopic:
        self.bus.create_topic(f"{self.group}.dead-letters")
        return self

    def read(self, count: int) -> list[Letter]:
        topic = f"{self.group}.dead-letters"
        messages = self.bus.records_and_more(topic, count)
        return sorted(
            (on_topic.from_record(_record(message)) for message in messages), key=lambda one: one.record.offset
        )


class InTable(Kept):
    def __init__(self, entry: dict[str, Any], blocker: DjangoDbBlocker) -> None:
        self.settings = {"EVENT_BUS_KAFKA_DEAD_LETTERS": "database", "DATABASES": {"default": entry}}
        self._entry = entry
        self._blocker = blocker

    def migrate(self) -> InTable:
        with self._blocker.unblock(), connected(self._entry, "letters"):
            call_command("migrate", database="letters", verbosity=0)
        return self

    def read(self, count: int) -> list[Letter]:
        with self._blocker.unblock(), connected(self._entry, "letters"):
            return [_letter(row) for row in DeadLetter.objects.using("letters").order_by("offset")]


def _letter(row: DeadLetter) -> Letter:
    return Letter(
        group=row.group,
        record=row.record,
        event_type=row.event_type,
        event_id=row.event_id,
        failures=tuple(of_row(row).values()),
        attempts=row.attempts,
        failed_at=row.last_failed_at,
    )


def _record(message: Message) -> ConsumerRecord:
    return ConsumerRecord(
        topic=str(message.topic()),
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        timestamp=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),  # type: ignore[arg-type]
    )
