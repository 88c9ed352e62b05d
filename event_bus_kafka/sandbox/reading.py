"""Reads a topic without a consumer group, for tests."""

from __future__ import annotations

from time import monotonic
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from event_bus_kafka.wire.records import ConsumerRecord


def read(bootstrap_servers: str, topic: str, count: int, seconds: float) -> list[ConsumerRecord]:
    """Return at most ``count`` records of all partitions; wait at most ``seconds`` for these records."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "sandbox", "log_level": 0})
    deadline = monotonic() + seconds
    found: list[ConsumerRecord] = []
    try:
        partitions = consumer.list_topics(topic, seconds).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        while len(found) < count and monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                found.append(_record(message))
    finally:
        consumer.close()
    return found


def _record(message: Any) -> ConsumerRecord:
    return ConsumerRecord(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
    )
