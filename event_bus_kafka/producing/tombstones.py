"""Sending tombstones: what removes a key from a compacted topic."""

from __future__ import annotations

from typing import Any

from openedx_events.event_bus import NoEventBusProducer, get_producer
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.shown import logger_named

logger = logger_named(__name__)


def send_tombstone(signal: OpenEdxPublicSignal, topic: str, key: Any) -> None:
    """
    Tell a compacted topic that what a key stands for was deleted: Kafka removes its records there, and workers tell
    receivers of :data:`~event_bus_kafka.record_deleted`.

    ``signal``: of events that the topic has for this key; ``topic``: without prefix; ``key``: the value that their key
    field has, as an object or its text. ``EVENT_BUS_PRODUCER_CONFIG`` says, as for events, which field that is, in
    which mode the tombstone leaves, and whether the topic is enabled: if not, nothing is sent. Never raises, as
    ``send_event``: what cannot be sent is logged and counted.

    Only for topics that no worker of ``edx-event-bus-kafka`` reads: it ends at a tombstone. In mode ``outbox`` alone
    it is sure that no earlier event of the key arrives after it.
    """
    producer = get_producer()
    if hasattr(producer, "send_tombstone"):
        producer.send_tombstone(signal=signal, topic=topic, key=key)
    elif not isinstance(producer, NoEventBusProducer):
        logger.error("No tombstone goes to topic %s: EVENT_BUS_PRODUCER is not event_bus_kafka.create_producer", topic)
