"""
An event bus for first steps and fast tests: librdkafka's mock cluster and a schema registry, in this process.

    with Sandbox() as sandbox:
        sandbox.bootstrap_servers, sandbox.schema_registry_url

Other processes may connect to both. From the shell: ``python -m event_bus_kafka.sandbox``.
"""

from __future__ import annotations

from types import TracebackType

from event_bus_kafka.sandbox.cluster import MockCluster
from event_bus_kafka.sandbox.schema_registry import SchemaRegistryServer

__all__ = ["MockCluster", "Sandbox", "SchemaRegistryServer"]


class Sandbox:
    """Starts both servers on entering, stops them on leaving. ``registry_port`` 0: any that is free."""

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

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic; one that is not created appears on first use, with 4 partitions."""
        self.cluster.create_topic(name, partitions)

    def __enter__(self) -> Sandbox:
        self.registry.start()
        self.cluster.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cluster.stop()
        self.registry.stop()
