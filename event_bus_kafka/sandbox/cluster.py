"""
librdkafka's mock cluster: real TCP brokers inside this process.

Groups, commits and idempotent producers work. ListOffsets by time, topic administration and group descriptions do not
work. The cluster needs about 5 MB of memory per partition.
"""

from __future__ import annotations

from ctypes import c_int

from confluent_kafka import KafkaError

from event_bus_kafka.sandbox.librdkafka import library, new_client

_APIS = {
    "Produce": 0,
    "Fetch": 1,
    "ListOffsets": 2,
    "Metadata": 3,
    "OffsetCommit": 8,
    "OffsetFetch": 9,
    "FindCoordinator": 10,
    "JoinGroup": 11,
    "Heartbeat": 12,
    "LeaveGroup": 13,
    "SyncGroup": 14,
    "InitProducerId": 22,
    "ConsumerGroupHeartbeat": 68,
}
"""Name of a request that the mock cluster answers → number (API key) of the request in Kafka's protocol."""
_EVERY = -1
"""librdkafka's constant that means all brokers."""


class MockCluster:
    """Brokers on 127.0.0.1 that run between :meth:`start` and :meth:`stop`."""

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
        """Start the brokers. Raises OSError if librdkafka fails."""
        lib = library()
        self._client = new_client()
        self._cluster = lib.rd_kafka_mock_cluster_new(self._client, self._brokers)
        if not self._cluster:
            raise OSError("librdkafka did not start its mock cluster")
        # Otherwise the first member of a group would wait three seconds for others before its assignment.
        lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    def stop(self) -> None:
        """Stop the brokers; all their records are lost."""
        lib = library()
        if self._cluster is not None:
            lib.rd_kafka_mock_cluster_destroy(self._cluster)
        if self._client is not None:
            lib.rd_kafka_destroy(self._client)
        self._cluster = self._client = None

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic. Raises OSError if librdkafka fails."""
        error = library().rd_kafka_mock_topic_create(self._running, name.encode(), partitions, self._brokers)
        if error:
            raise OSError(f"librdkafka did not create topic {name!r}: error {error}")

    def set_down(self, broker: int | None = None) -> None:
        """Close the connections of a broker (numbered from 1) and refuse new connections. None: all brokers."""
        self._done(library().rd_kafka_mock_broker_set_down(self._running, _EVERY if broker is None else broker))

    def set_up(self, broker: int | None = None) -> None:
        """Let a broker accept connections again; None: all brokers."""
        self._done(library().rd_kafka_mock_broker_set_up(self._running, _EVERY if broker is None else broker))

    def set_round_trip(self, seconds: float) -> None:
        """Delay the answer to each request by ``seconds``."""
        self._done(library().rd_kafka_mock_broker_set_rtt(self._running, _EVERY, int(seconds * 1000)))

    def push_errors(self, api: str, code: str, times: int) -> None:
        """
        Answer the next ``times`` requests of one API (such as ``Produce``) with an error. ``api`` and ``code`` are
        names from Kafka.
        """
        number = getattr(KafkaError, code, 0)
        if api not in _APIS:
            raise ValueError(f"{api!r} is not one of {', '.join(_APIS)}.")
        if number <= 0:
            raise ValueError(f"{code!r} is not the name of a broker's error, such as 'NOT_LEADER_FOR_PARTITION'.")
        errors = (c_int * times)(*[number] * times)
        library().rd_kafka_mock_push_request_errors_array(self._running, _APIS[api], times, errors)

    def clear_errors(self) -> None:
        """Cancel the errors that no request has received yet."""
        for number in _APIS.values():
            library().rd_kafka_mock_clear_request_errors(self._running, number)

    @staticmethod
    def _done(error: int) -> None:
        if error:
            raise ValueError(f"librdkafka refused the call: error {error}; brokers are numbered from 1")

    @property
    def _running(self) -> int:
        if self._cluster is None:
            raise RuntimeError("The mock cluster is not running.")
        return self._cluster
