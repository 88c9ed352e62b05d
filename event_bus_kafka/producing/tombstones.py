"""Sends tombstones, which remove a key from a compacted topic."""

from __future__ import annotations

from typing import Any

from openedx_events.event_bus import NoEventBusProducer, get_producer
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.shown import logger_named

logger = logger_named(__name__)


def send_tombstone(signal: OpenEdxPublicSignal, topic: str, key: Any) -> None:
    """
    Tell a compacted topic that the object of a key was deleted.

    Kafka removes the key's records, and workers send :data:`~event_bus_kafka.record_deleted` to receivers.

    ``signal``: a signal whose events the topic has for this key. ``topic``: without prefix. ``key``: the value of their
    key field, as an object or its text. ``EVENT_BUS_PRODUCER_CONFIG`` decides, as for events, which field that is, in
    which mode the tombstone leaves, and whether the topic is enabled; if not, nothing is sent. Never raises, as
    ``send_event``: a tombstone that cannot be sent is logged and counted.

    Send none to topics that a worker of ``edx-event-bus-kafka`` reads: it fails at tombstones. Only in mode ``outbox``
    is it certain that no earlier event of the key arrives after the tombstone.
    """
    producer = get_producer()
    if hasattr(producer, "send_tombstone"):
        producer.send_tombstone(signal=signal, topic=topic, key=key)
    elif not isinstance(producer, NoEventBusProducer):
        logger.error("No tombstone goes to topic %s: EVENT_BUS_PRODUCER is not event_bus_kafka.create_producer", topic)
