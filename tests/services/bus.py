"""
The interface through which tests use Kafka and registry. The sandbox and the real servers have the same interface.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import monotonic, sleep
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from event_bus_kafka.sandbox import Sandbox
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry

CREATED = "org.openedx.learning.certificate.created.v1"
REVOKED = "org.openedx.learning.certificate.revoked.v1"


class Bus(ABC):
    """A running event bus."""

    bootstrap_servers: str
    schema_registry_url: str

    @abstractmethod
    def create_topic(self, name: str, partitions: int = 1) -> None: ...

    def settings(self, topic: str | None = None, **changes: Any) -> dict[str, Any]:
        """
        Return Django settings. If a topic is given, a service with these settings sends certificates to the topic, with
        the user's id as key.
        """
        entry = {"event_key_field": "certificate.user.id", "enabled": True}
        config = {event_type: {topic: entry} for event_type in (CREATED, REVOKED)} if topic else {}
        return {
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": self.schema_registry_url,
            "EVENT_BUS_PRODUCER_CONFIG": config,
            # A busy machine answers late: an event would be held, and records behind it would be read again.
            "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30,
            "EVENT_BUS_KAFKA_CONSUMER_OPTIONS": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500},
        } | changes

    def records(self, topic: str, count: int, *, seconds: float = 60) -> list[Message]:
        """
        Read records from the beginning of a topic's first partition. Return the records when ``count`` records are read
        or ``seconds`` have passed.
        """
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "tests", "log_level": 0})
        try:
            consumer.assign([TopicPartition(topic, 0, 0)])
            found: list[Message] = []
            deadline = monotonic() + seconds
            while len(found) < count and monotonic() < deadline:
                message = consumer.poll(0.1)
                if message is not None and message.error() is None:
                    found.append(message)
            return found
        finally:
            consumer.close()

    def end_of(self, topic: str) -> int:
        """Return the end offset of a topic's first partition, which is the offset of the next record."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "tests", "log_level": 0})
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=60)[1])
        finally:
            consumer.close()

    def records_from(self, topic: str, offset: int) -> list[Message]:
        """Return all records of a topic's first partition at ``offset`` or later."""
        return self.records(topic, self.end_of(topic))[offset:]

    def records_and_more(self, topic: str, count: int) -> list[Message]:
        """
        Wait for ``count`` records; return all records. Tests use this function to check that there are no more records
        than ``count``.
        """
        self.records(topic, count)
        sleep(0.3)  # further records would follow within this time
        return self.records_from(topic, 0)

    def event_ids(self, topic: str, count: int) -> list[str]:
        """
        Return the ids of the events on a topic in order. Wait until there are ``count`` events. The result also
        contains any further events.
        """
        return [header(record, "ce_id") for record in self.records_and_more(topic, count)]

    def committed(self, group: str, topic: str) -> int:
        """
        Return the offset that a group has committed for a topic's first partition. A negative number means that the
        group has committed no offset.
        """
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": group, "log_level": 0})
        try:
            return int(consumer.committed([TopicPartition(topic, 0)], timeout=60)[0].offset)
        finally:
            consumer.close()

    def commit(self, group: str, topic: str, offset: int) -> None:
        """Commit an offset for a topic's first partition. The group must have no members."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": group, "log_level": 0})
        try:
            consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
        finally:
            consumer.close()

    def produce(
        self, topic: str, *, value: bytes | None, headers: dict[str, bytes], key: bytes | None = b"key"
    ) -> None:
        """Send a record with these bytes to a topic's first partition."""
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        producer.produce(topic, key=key, value=value, headers=list(headers.items()), partition=0)
        assert producer.flush(60) == 0


def header(record: Message, name: str) -> str:
    """Return a record's header as text."""
    value = dict(record.headers() or [])[name]
    assert isinstance(value, bytes)
    return value.decode()


class SandboxBus(Bus):
    def __init__(self, sandbox: Sandbox) -> None:
        self.bootstrap_servers = sandbox.bootstrap_servers
        self.schema_registry_url = sandbox.schema_registry_url
        self._sandbox = sandbox

    def create_topic(self, name: str, partitions: int = 1) -> None:
        self._sandbox.create_topic(name, partitions)


class RealBus(Bus):
    def __init__(self, cluster: KafkaCluster, registry: SchemaRegistry) -> None:
        self.bootstrap_servers = cluster.bootstrap_servers
        self.schema_registry_url = registry.url
        self._cluster = cluster

    def create_topic(self, name: str, partitions: int = 1) -> None:
        self._cluster.create_topic(name, partitions)
