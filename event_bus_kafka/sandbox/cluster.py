"""
librdkafka's mock cluster: real TCP brokers inside this process.

Groups, commits and idempotent producers work. It keeps about 5 MB per partition, in memory; ListOffsets by time, topic
administration and group descriptions do not work.
"""

from __future__ import annotations

from event_bus_kafka.sandbox.librdkafka import library, new_client


class MockCluster:
    """Brokers on 127.0.0.1 between :meth:`start` and :meth:`stop`."""

    def __init__(self, *, brokers: int = 1) -> None:
        self._brokers = brokers
        self._client: int | None = None
        self._cluster: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Addresses of the brokers, as host:port, separated by commas."""
        servers: bytes = library().rd_kafka_mock_cluster_bootstraps(self._running)
        return servers.decode()

    def start(self) -> None:
        """Start the brokers. Raises OSError where librdkafka refuses."""
        lib = library()
        self._client = new_client()
        self._cluster = lib.rd_kafka_mock_cluster_new(self._client, self._brokers)
        if not self._cluster:
            raise OSError("librdkafka did not start its mock cluster")
        # Members of a group would wait three seconds for others before their first assignment.
        lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    def stop(self) -> None:
        """Stop the brokers; everything they held is gone."""
        lib = library()
        if self._cluster is not None:
            lib.rd_kafka_mock_cluster_destroy(self._cluster)
        if self._client is not None:
            lib.rd_kafka_destroy(self._client)
        self._cluster = self._client = None

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic. Raises OSError where librdkafka refuses."""
        error = library().rd_kafka_mock_topic_create(self._running, name.encode(), partitions, self._brokers)
        if error:
            raise OSError(f"librdkafka did not create topic {name!r}: error {error}")

    @property
    def _running(self) -> int:
        if self._cluster is None:
            raise RuntimeError("The mock cluster is not running.")
        return self._cluster
