"""Sends tombstones, which remove a key from a compacted topic."""

from __future__ import annotations

from typing import Any

from openedx_events.event_bus import NoEventBusProducer, get_producer
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.shown import logger_named

logger = logger_named(__name__)


def send_tombstone(signal: OpenEdxPublicSignal, topic: str, key: Any) -> None:
    """
    Tell the consumers of a compacted topic that the object with this key was deleted.

    Kafka removes the key's earlier records, and workers send :data:`~event_bus_kafka.record_deleted` to receivers.

    ``signal``: the signal whose events the topic contains for this key. ``topic``: without prefix. ``key``: the value
    of the events' key field, as an object or as its text. As for events, ``EVENT_BUS_PRODUCER_CONFIG`` determines the
    key field, the mode, and whether the topic is enabled; nothing is sent to a disabled topic. Never raises, like
    ``send_event``: a tombstone that cannot be sent is logged and counted.

    Do not send tombstones to topics that a worker of ``edx-event-bus-kafka`` reads: that worker fails when it reads a
    tombstone. Only mode ``outbox`` guarantees that no earlier event of the key arrives after the tombstone.
    """
    producer = get_producer()
    if hasattr(producer, "send_tombstone"):
        producer.send_tombstone(signal=signal, topic=topic, key=key)
    elif not isinstance(producer, NoEventBusProducer):
        logger.error("No tombstone sent to topic %s: EVENT_BUS_PRODUCER is not event_bus_kafka.create_producer", topic)
