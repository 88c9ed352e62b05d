"""This process's clients of Kafka and of the registry."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic, sleep

import attrs

from event_bus_kafka.conf import settings
from event_bus_kafka.conf.client_options import producer_options, schema_registry_options
from event_bus_kafka.errors import DeliveryFailed, Trouble
from event_bus_kafka.kafka.client import Delivered, Producer, QueueFull
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.producing import spill
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import RecordDelivered
from event_bus_kafka.wire.records import EncodedEvent, ProducerRecord

_REGISTRY_REST = 30.0
"""Seconds for which a registry that failed is left alone, so that requests do not wait for it one after the other."""

_kept: list[Link] = []
"""All that this process and its parents ever made: a child that drops a parent's client waits a second, or crashes."""


@attrs.define(eq=False)
class Link:
    """This process's clients, and the thread that hands out delivery reports."""

    producer: Producer
    registry: SchemaRegistry
    pid: int = attrs.field(factory=os.getpid)
    retired: threading.Event = attrs.field(factory=threading.Event)
    """Set once it takes no more records: what it holds still gets its reports."""
    is_away: bool = False
    """Whether Kafka was waited for in vain, and has confirmed nothing since: nobody waits for it meanwhile."""

    @classmethod
    def to_kafka(cls) -> Link:
        registry = SchemaRegistry(
            schema_registry_options(),
            timeout=min(settings.registry_timeout, settings.send_timeout / 2),  # a first event needs two ids
            register=settings.auto_register_schemas,
            rest=_REGISTRY_REST,
        )
        return cls._started(registry)

    def successor(self) -> Link:
        """Return one with a new client of Kafka; that of the registry knows the ids, so that nobody waits for them."""
        return self._started(self.registry)

    @classmethod
    def _started(cls, registry: SchemaRegistry) -> Link:
        link = cls(Producer(producer_options()), registry)
        threading.Thread(target=link._poll_for_ever, name="event-bus-producer", daemon=True).start()
        _kept.append(link)
        return link

    def produce(
        self, record: ProducerRecord, report: Callable[[Delivered | DeliveryFailed], None], until: float
    ) -> None:
        """
        Queue a record. While the queue is full, wait for room until the deadline, but not while Kafka is away; then
        raises :class:`QueueFull`.
        """
        while True:
            try:
                return self.producer.produce(record, report)
            except QueueFull:
                if self.is_away or monotonic() >= until:
                    self.is_away = True
                    raise
                self.producer.poll(0.05)

    def reported(self, encoded: EncodedEvent, database: str | None, report: Delivered | DeliveryFailed) -> None:
        """Take note of what became of an event."""
        if isinstance(report, DeliveryFailed):
            self.is_away = self.is_away or report.kind is Trouble.UNREACHABLE
            spill.spill([encoded], report, database=database)
            return
        self.is_away = False
        emit(
            RecordDelivered(
                topic=report.topic,
                partition=report.partition,
                offset=report.offset,
                event_type=encoded.destination.event_type,
                event_id=encoded.event_id,
            )
        )

    def flush(self, seconds: float) -> int:
        """Wait so long for confirmations; return how many records lack them still."""
        return self.producer.flush(seconds)

    def _poll_for_ever(self) -> None:
        interval = settings.poll_interval
        while not self.retired.is_set() or len(self.producer):
            sleep(interval)  # a poll that waits would wake for each report, and fight with senders for the interpreter
            self.producer.poll(0)


def own_links() -> list[Link]:
    """Return what this process has made: those of its parents are useless here."""
    return [link for link in _kept if link.pid == os.getpid()]
