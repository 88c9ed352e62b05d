"""Asks about many topics and groups at once, with few requests. For commands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from time import monotonic, sleep
from typing import Any, TypeVar

import attrs
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # of its public names

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.admin import Admin, result_of
from event_bus_kafka.kafka.broker_errors import as_broker_errors, to_broker_error
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.kafka.offsets import MOCK, Partition

T = TypeVar("T")

_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_BETWEEN = 0.1
"""Seconds until a request about a group whose coordinator is moving is repeated."""
_GROUPS_AT_ONCE = 20
"""Number of groups whose offsets are requested at the same time; Kafka's client sends one request per group."""
_TOPICS_AT_ONCE = 500
"""Maximum number of topics per request: the options of each topic take kilobytes."""


@attrs.frozen(kw_only=True)
class Cluster:
    """A cluster's id, brokers, controller and topics."""

    id: str
    brokers: tuple[str, ...]
    """The brokers, each as ``host:port``."""
    has_controller: bool
    """
    Whether there is a controller, which describes topics' options; the sandbox has none, and during a failover there is
    none.
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
    An offset that a partition returned; ``offset`` is -1 if no record matched, ``timestamp`` -1 if the broker sent
    none.
    """

    offset: int
    timestamp: int


@attrs.frozen(kw_only=True)
class GroupDescription:
    """A consumer group, as its coordinator describes it."""

    state: str
    """The state in lower case, such as ``stable`` or ``empty``."""
    members: int
    operations: frozenset[str]
    """The operations on the group that this user may do, by Kafka's names, such as ``READ``."""


class ClusterOverview(Admin):
    """
    Answers questions about many topics and groups. An error for one topic or group is in its own answer, and does not
    affect the others.
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
        """Return the end offset of each partition, one above its last record."""
        return self._offsets(dict.fromkeys(partitions, _LATEST), timeout)

    def offsets_since(self, times: Mapping[Partition, int], *, timeout: float) -> dict[Partition, FoundOffset]:
        """
        Return the first offset of each partition at or after its time in ``times`` (milliseconds since the epoch).
        """
        return self._offsets({one: OffsetSpec.for_timestamp(time) for one, time in times.items()}, timeout)

    def committed(
        self, groups: Mapping[str, Collection[Partition] | None], *, timeout: float
    ) -> dict[str, dict[Partition, int] | BrokerError]:
        """
        Return the committed offsets of each group on the given partitions; None: on all partitions for which the group
        has committed.

        Pass only groups that :meth:`groups` has just described. If a group's coordinator has moved or is not ready,
        librdkafka looks for a consumer's group in an admin client, which has none, and ends the process with a
        segmentation fault (librdkafka #5040).
        """
        found: dict[str, dict[Partition, int] | BrokerError] = {}
        for part in _parts(sorted(groups), _GROUPS_AT_ONCE):
            answers = {name: self._ask_committed(name, groups[name], timeout) for name in part}
            found |= {name: _offsets_or_error(answer, timeout) for name, answer in answers.items()}
        return found

    def groups(self, names: Collection[str], *, timeout: float) -> dict[str, GroupDescription | BrokerError]:
        """
        Describe groups; each group's coordinator answers. Raises :class:`BrokerError` if the request cannot be sent.
        """
        found: dict[str, GroupDescription | BrokerError] = {}
        left, deadline = sorted(names), monotonic() + timeout
        while left:
            with as_broker_errors(self._client):
                answers = self._client.describe_consumer_groups(
                    left, include_authorized_operations=True, request_timeout=timeout
                )
            told = {name: _result_or_error(answer, timeout) for name, answer in answers.items()}
            found |= {name: one if isinstance(one, BrokerError) else _group(one) for name, one in told.items()}
            left = [name for name in left if _is_moving(found[name]) and monotonic() < deadline]
            sleep(_BETWEEN if left else 0)
        return found

    def group_states(self, *, timeout: float) -> dict[str, str]:
        """
        Return the state, in lower case, of each group that this user may describe. This includes groups of the newer
        protocol (``group.protocol = consumer``), which :meth:`groups` does not find. Raises :class:`BrokerError`.
        """
        with as_broker_errors(self._client):
            answer = self._client.list_consumer_groups(request_timeout=timeout)
        return {one.group_id: one.state.name.lower() for one in result_of(answer, timeout).valid}

    def many_topic_options(self, topics: Collection[str], *, timeout: float) -> dict[str, dict[str, str] | BrokerError]:
        """Return the options of each topic, as :meth:`topic_options` does."""
        found: dict[str, dict[str, str] | BrokerError] = {}
        for part in _parts(sorted(topics), _TOPICS_AT_ONCE):
            found |= self.topic_options(part, timeout=timeout)
        return found

    def topic_rights(self, topics: Collection[str], *, timeout: float) -> dict[str, frozenset[str] | BrokerError]:
        """Return the operations on each topic that this user may do, by Kafka's names, such as ``WRITE``."""
        found: dict[str, frozenset[str] | BrokerError] = {}
        for part in _parts(sorted(topics), _TOPICS_AT_ONCE):
            with as_broker_errors(self._client):
                answers = self._client.describe_topics(
                    TopicCollection(part), include_authorized_operations=True, request_timeout=timeout
                )
            for name, answer in answers.items():
                told = _result_or_error(answer, timeout)
                found[name] = told if isinstance(told, BrokerError) else _operations(told)
        return found

    def _offsets(self, asked: Mapping[Partition, OffsetSpec], timeout: float) -> dict[Partition, FoundOffset]:
        if not asked:
            return {}
        specs = {TopicPartition(*one): spec for one, spec in asked.items()}
        with as_broker_errors(self._client):
            answers = self._client.list_offsets(
                specs, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=timeout
            )
        told = {(one.topic, one.partition): _result_or_error(answer, timeout) for one, answer in answers.items()}
        return {
            name: FoundOffset(offset=one.offset, timestamp=one.timestamp)
            for name, one in told.items()
            if not isinstance(one, BrokerError)
        }

    def _ask_committed(self, group: str, partitions: Collection[Partition] | None, timeout: float) -> Future[Any]:
        named = None if partitions is None else [TopicPartition(*one) for one in partitions]
        asked = [ConsumerGroupTopicPartitions(group, named)]
        with as_broker_errors(self._client):
            answer: Future[Any] = self._client.list_consumer_group_offsets(asked, request_timeout=timeout)[group]
        return answer


def _parts(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def _result_or_error(answer: Future[T], timeout: float) -> T | BrokerError:
    try:
        return result_of(answer, timeout)
    except BrokerError as error:
        return error


def _offsets_or_error(answer: Future[Any], timeout: float) -> dict[Partition, int] | BrokerError:
    told = _result_or_error(answer, timeout)
    if isinstance(told, BrokerError):
        return told
    for one in told.topic_partitions:
        if one.error is not None:
            return to_broker_error(one.error)
    return {(one.topic, one.partition): one.offset for one in told.topic_partitions if one.offset >= 0}


def _is_moving(told: object) -> bool:
    return isinstance(told, BrokerError) and meaning_of(told.code).coordinator_moves


def _group(told: Any) -> GroupDescription:
    return GroupDescription(state=told.state.name.lower(), members=len(told.members), operations=_operations(told))


def _operations(told: Any) -> frozenset[str]:
    return frozenset(one.name for one in told.authorized_operations or ())
