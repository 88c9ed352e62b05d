"""
An event bus for first steps and fast tests: librdkafka's mock cluster and a schema registry, in this process.

    with Sandbox() as sandbox:
        sandbox.bootstrap_servers, sandbox.schema_registry_url
        with sandbox.broker_down():
            ...

Other processes may connect to both. From the shell: ``python -m event_bus_kafka.sandbox``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from event_bus_kafka.sandbox.cluster import MockCluster
from event_bus_kafka.sandbox.reading import read
from event_bus_kafka.sandbox.schema_registry import SchemaRegistryServer
from event_bus_kafka.wire.records import ConsumerRecord

__all__ = ["MockCluster", "Sandbox", "SchemaRegistryServer"]


class Sandbox:
    """
    Starts brokers and registry at the beginning of a ``with`` block, and stops them at its end. ``registry_port`` 0:
    any free port.
    """

    def __init__(self, *, brokers: int = 1, registry_port: int = 0) -> None:
        self.registry = SchemaRegistryServer(port=registry_port)
        self.cluster = MockCluster(brokers=brokers)

    @property
    def bootstrap_servers(self) -> str:
        """Addresses of the brokers, as host:port, separated by commas."""
        return self.cluster.bootstrap_servers

    @property
    def schema_registry_url(self) -> str:
        """URL of the registry."""
        return self.registry.url

    @property
    def settings(self) -> dict[str, Any]:
        """Django settings of a service that uses the sandbox."""
        return {
            "EVENT_BUS_PRODUCER": "event_bus_kafka.create_producer",
            "EVENT_BUS_CONSUMER": "event_bus_kafka.KafkaEventConsumer",
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": self.schema_registry_url,
        }

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic. A topic that was not created appears at its first use, with 4 partitions."""
        self.cluster.create_topic(name, partitions)

    def records(self, topic: str, count: int, *, seconds: float = 10) -> list[ConsumerRecord]:
        """
        Read a topic (full name) from its beginning. Return its records as soon as there are ``count``, and at the
        latest after ``seconds``.
        """
        return read(self.bootstrap_servers, topic, count, seconds)

    @contextmanager
    def broker_down(self, broker: int | None = None) -> Iterator[None]:
        """Stop a broker (numbered from 1) while the ``with`` block runs; None: all brokers."""
        self.cluster.set_down(broker)
        try:
            yield
        finally:
            self.cluster.set_up(broker)

    @contextmanager
    def slow_brokers(self, seconds: float) -> Iterator[None]:
        """Delay each answer of a broker by ``seconds`` while the ``with`` block runs."""
        self.cluster.set_round_trip(seconds)
        try:
            yield
        finally:
            self.cluster.set_round_trip(0)

    def fail_next(self, api: str, error: str, *, times: int = 1) -> None:
        """
        Let the next ``times`` requests of one API fail with ``error``, unless :meth:`mend` is called before.

        ``api`` and ``error`` are names from Kafka: ``fail_next("Produce", "NOT_LEADER_FOR_PARTITION", times=3)``.
        """
        self.cluster.push_errors(api, error, times)

    @contextmanager
    def registry_down(self) -> Iterator[None]:
        """Stop the registry while the ``with`` block runs. The registry does not lose its schemas."""
        self.registry.stop()
        try:
            yield
        finally:
            self.registry.start()

    @contextmanager
    def registry_answering(self, status: int) -> Iterator[None]:
        """Let the registry refuse every request with this HTTP status while the ``with`` block runs."""
        self.registry.answer_with(status)
        try:
            yield
        finally:
            self.registry.answer_with(None)

    def mend(self) -> None:
        """Cancel the errors of :meth:`fail_next` that no request has received yet."""
        self.cluster.clear_errors()

    def __enter__(self) -> Sandbox:
        self.registry.start()
        self.cluster.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cluster.stop()
        self.registry.stop()
