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

    When Kafka compacts the topic, it removes the key's earlier records. Workers send
    :data:`~event_bus_kafka.record_deleted` to their receivers.

    ``signal``: the signal whose events the topic contains for this key. ``topic``: name without prefix. ``key``: the
    value of the events' key field, as an object or as its text. ``EVENT_BUS_PRODUCER_CONFIG`` determines the key field
    and the mode, as for events. If this setting disables the topic, nothing is sent. If a tombstone cannot be sent, no
    exception is raised, as with ``send_event``; the failure is logged and counted.

    Do not send tombstones to topics that a worker of ``edx-event-bus-kafka`` reads, because that worker fails when it
    reads a tombstone. Only mode ``outbox`` guarantees that the key's earlier events arrive before the tombstone.
    """
    producer = get_producer()
    if hasattr(producer, "send_tombstone"):
        producer.send_tombstone(signal=signal, topic=topic, key=key)
    elif not isinstance(producer, NoEventBusProducer):
        logger.error("No tombstone sent to topic %s: set EVENT_BUS_PRODUCER to event_bus_kafka.create_producer", topic)
