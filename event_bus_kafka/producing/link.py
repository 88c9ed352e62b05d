"""This process's clients of Kafka and of the registry."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic, sleep

import attrs

from event_bus_kafka.conf import settings
from event_bus_kafka.conf.client_options import producer_options, schema_registry_options
from event_bus_kafka.errors import DeliveryFailed
from event_bus_kafka.kafka.client import Delivered, Producer, QueueFull
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.wire.records import ProducerRecord

_REGISTRY_REST = 30.0
"""Seconds for which a registry that failed is left alone, so that requests do not wait for it one after the other."""

_kept: list[Link] = []
"""All that this process and its parents ever made: a child that drops a parent's client waits a second, or crashes."""


@attrs.frozen(eq=False)
class Link:
    """This process's clients, and the thread that hands out delivery reports."""

    producer: Producer
    registry: SchemaRegistry
    pid: int = attrs.field(factory=os.getpid)
    retired: threading.Event = attrs.field(factory=threading.Event)
    """Set once it takes no more records: what it holds still gets its reports."""

    @classmethod
    def to_kafka(cls) -> Link:
        registry = SchemaRegistry(
            schema_registry_options(),
            timeout=min(settings.registry_timeout, settings.send_timeout / 2),  # a first event needs two ids
            register=settings.auto_register_schemas,
            rest=_REGISTRY_REST,
        )
        link = cls(Producer(producer_options()), registry)
        threading.Thread(target=link._poll_for_ever, name="event-bus-producer", daemon=True).start()
        _kept.append(link)
        return link

    def produce(
        self, record: ProducerRecord, report: Callable[[Delivered | DeliveryFailed], None], until: float
    ) -> None:
        """Queue a record. While the queue is full, wait for room until the deadline; then raises :class:`QueueFull`."""
        while True:
            try:
                return self.producer.produce(record, report)
            except QueueFull:
                if monotonic() >= until:
                    raise
                self.producer.poll(0.05)

    def flush(self, seconds: float) -> None:
        """Wait so long for confirmations."""
        self.producer.flush(seconds)

    def _poll_for_ever(self) -> None:
        interval = settings.poll_interval
        while not self.retired.is_set() or len(self.producer):
            sleep(interval)  # a poll that waits would wake for each report, and fight with senders for the interpreter
            self.producer.poll(0)


def own_links() -> list[Link]:
    """Return what this process has made: those of its parents are useless here."""
    return [link for link in _kept if link.pid == os.getpid()]
