"""Asks the brokers about many topics and groups at once, with few requests, for commands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs
from confluent_kafka import IsolationLevel, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # of its public names

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.admin import options_in
from event_bus_kafka.kafka.broker_errors import as_broker_errors
from event_bus_kafka.kafka.cluster.groups import Groups, operations_of, parts, result_or_error
from event_bus_kafka.kafka.offsets import MOCK, Partition

_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_TOPICS_AT_ONCE = 100
"""
Maximum number of topics in one request. The options of a topic take kilobytes. Several small requests are faster than a
large one, because the client reads one answer while the broker prepares the next.
"""
_AT_ONCE = 4
"""Requests that are sent at the same time wait for each other. So their time-out is multiplied by this factor."""


@attrs.frozen(kw_only=True)
class Cluster:
    """A cluster's id, brokers, controller and topics."""

    id: str
    brokers: tuple[str, ...]
    """The brokers, each as ``host:port``."""
    has_controller: bool
    """
    Whether the cluster has a controller, which describes the options of topics. The sandbox never has a controller.
    Other clusters have no controller during a failover.
    """
    partitions: Mapping[str, tuple[int, ...]]
    """Name of each topic that this user may describe → its partitions."""

    @property
    def is_sandbox(self) -> bool:
        """Whether this is librdkafka's mock cluster, whose brokers cannot describe groups."""
        return self.id.startswith(MOCK)


@attrs.frozen(kw_only=True)
class FoundOffset:
    """
    An offset in a partition, as a broker found it. ``offset`` is -1 if no record matches. ``timestamp`` is -1 if the
    broker sent no timestamp.
    """

    offset: int
    timestamp: int


class ClusterOverview(Groups):
    """
    Answers questions about many topics and groups. An error for one topic, partition or group does not affect the
    answers for the others. Partitions with an error are left out of the answers.
    """

    def cluster(self, *, timeout: float) -> Cluster:
        """Describe the cluster. Raises :class:`BrokerError`."""
        with as_broker_errors(self._client):
            found = self._client.list_topics(timeout=timeout)
        return Cluster(
            id=found.cluster_id or "",
            brokers=tuple(f"{one.host}:{one.port}" for _, one in sorted(found.brokers.items())),
            has_controller=found.controller_id in found.brokers,
            partitions={name: tuple(one.partitions) for name, one in found.topics.items() if one.error is None},
        )

    def first_offsets(self, partitions: Iterable[Partition], *, timeout: float) -> dict[Partition, FoundOffset]:
        """Return the offset of the first record of each partition."""
        return self._offsets(dict.fromkeys(partitions, _EARLIEST), timeout)

    def end_offsets(self, partitions: Iterable[Partition], *, timeout: float) -> dict[Partition, FoundOffset]:
        """Return the end offset of each partition: the offset of the last record, plus 1."""
        return self._offsets(dict.fromkeys(partitions, _LATEST), timeout)

    def offsets_since(self, times: Mapping[Partition, int], *, timeout: float) -> dict[Partition, FoundOffset]:
        """
        Return partition → the first offset at or after the partition's time in ``times`` (milliseconds since the
        epoch).
        """
        return self._offsets({one: OffsetSpec.for_timestamp(time) for one, time in times.items()}, timeout)

    def many_topic_options(self, topics: Collection[str], *, timeout: float) -> dict[str, dict[str, str] | BrokerError]:
        """Return the same as :meth:`topic_options`, but ask in several requests, because there may be many topics."""
        timeout *= _AT_ONCE
        answers = [self._describe_configs(part, timeout) for part in parts(sorted(topics), _TOPICS_AT_ONCE)]
        return {name: one for answer in answers for name, one in options_in(answer, timeout).items()}

    def topic_rights(self, topics: Collection[str], *, timeout: float) -> dict[str, frozenset[str] | BrokerError]:
        """
        Return topic → operations on the topic that this Kafka user may perform, in Kafka's names, for example
        ``WRITE``; or topic → error, if the operations are unknown.
        """
        timeout *= _AT_ONCE
        with as_broker_errors(self._client):
            answers = [
                self._client.describe_topics(
                    TopicCollection(part), include_authorized_operations=True, request_timeout=timeout
                )
                for part in parts(sorted(topics), _TOPICS_AT_ONCE)
            ]
        told = {name: result_or_error(one, timeout) for answer in answers for name, one in answer.items()}
        return {name: one if isinstance(one, BrokerError) else operations_of(one) for name, one in told.items()}

    def _offsets(self, asked: Mapping[Partition, OffsetSpec], timeout: float) -> dict[Partition, FoundOffset]:
        if not asked:
            return {}
        specs = {TopicPartition(*one): spec for one, spec in asked.items()}
        with as_broker_errors(self._client):
            answers = self._client.list_offsets(
                specs, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=timeout
            )
        told = {(one.topic, one.partition): result_or_error(answer, timeout) for one, answer in answers.items()}
        return {
            name: FoundOffset(offset=one.offset, timestamp=one.timestamp)
            for name, one in told.items()
            if not isinstance(one, BrokerError)
        }
