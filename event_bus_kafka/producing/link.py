"""This process's clients of Kafka and of the registry."""

from __future__ import annotations

import logging
import os
import threading
import traceback
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

_ROOM_EVERY = 0.005
"""Seconds between two looks for room in a full queue."""

logger = logging.getLogger(__name__)

_kept: list[Link] = []
"""All in use, and its parents' too: a child that drops a parent's client waits a second, or crashes."""


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
    succeeded_at: float | None = None
    """When it took the place of another one, by the monotonic clock."""
    _wanted: threading.Event = attrs.field(factory=threading.Event)
    """Set by who needs room in the queue, which reports take until they are handed out."""

    @classmethod
    def to_kafka(cls) -> Link:
        registry = SchemaRegistry(
            schema_registry_options(),
            timeout=min(settings.registry_timeout, settings.send_timeout / 2),  # a first event needs two ids
            register=settings.auto_register_schemas,
            rest=_REGISTRY_REST,
        )
        return cls(Producer(producer_options()), registry)._started()

    def successor(self) -> Link:
        """Return one with a new client of Kafka; that of the registry knows the ids, so that nobody waits for them."""
        client = Producer(producer_options())
        return Link(client, self.registry, is_away=self.is_away, succeeded_at=monotonic())._started()

    def _started(self) -> Link:
        _kept.append(self)
        try:
            threading.Thread(target=self._poll_until_retired, name="event-bus-producer", daemon=True).start()
        except RuntimeError as error:
            if "shutdown" not in str(error):  # there no thread can be started, and each send is flushed
                _kept.remove(self)
                raise
        return self

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
                self._wanted.set()  # not by a poll here: a request would run the callbacks of thousands of others
                sleep(_ROOM_EVERY)

    def reported(self, encoded: EncodedEvent, database: str | None, report: Delivered | DeliveryFailed) -> None:
        """Take note of what became of an event. Raises nothing: reports of others must still be handed out."""
        try:
            self._note(encoded, database, report)
        except Exception as error:  # noqa: BLE001
            where = "".join(traceback.format_tb(error.__traceback__)[-1:]).strip()  # its text might hold event data
            logger.error("A delivery report was lost to %s, in %s", type(error).__name__, where)

    def _note(self, encoded: EncodedEvent, database: str | None, report: Delivered | DeliveryFailed) -> None:
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

    def give_up(self, seconds: float) -> None:
        """Retire, and report what lacks a confirmation as failed, in so many seconds; a purged client takes no more."""
        self.retired.set()
        self.is_away = True
        self.producer.purge(seconds)

    def _poll_until_retired(self) -> None:
        interval = settings.poll_interval
        while not self.retired.is_set() or len(self.producer):
            self._wanted.wait(interval)  # a poll that waits would wake for each report, and fight with senders
            self._wanted.clear()
            self.producer.poll(0)
        _kept.remove(self)  # its client is destroyed, unless somebody holds it still


def keep(link: Link | None) -> None:
    """Keep a parent's, though it is retired: its thread, which would let it go, is the parent's too."""
    if link is not None and link not in _kept:
        _kept.append(link)


def own_links() -> list[Link]:
    """Return what this process has made: those of its parents are useless here."""
    return [link for link in tuple(_kept) if link.pid == os.getpid()]
