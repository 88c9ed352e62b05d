"""Asks the brokers about many consumer groups at once, for commands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from time import monotonic, sleep
from typing import Any, TypeVar

import attrs
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.admin import Admin, result_of
from event_bus_kafka.kafka.broker_errors import as_broker_errors, to_broker_error
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.trouble import Trouble

T = TypeVar("T")

_BETWEEN = 0.1
"""Seconds between two requests about a group whose coordinator is moving."""
_SHORTEST = 0.1
"""
Minimum time limit of a request, in seconds. It is used when no time is left, because Kafka's client refuses the limit
0.
"""
_GROUPS_AT_ONCE = 100
"""
Maximum number of groups whose offsets are requested at the same time. Kafka's client sends one request for each group,
and the time limit of each request already runs while the request waits for the others.
"""


@attrs.frozen(kw_only=True)
class GroupDescription:
    """The description of a consumer group by its coordinator."""

    state: str
    """State of the group in lower case, for example ``stable`` or ``empty``."""
    members: tuple[str, ...]
    """Members of the group, each as client id and host."""
    operations: frozenset[str]
    """Operations on the group that this Kafka user may perform, in Kafka's names, for example ``READ``."""


Described = Mapping[str, GroupDescription | BrokerError]
Offsets = Mapping[Partition, Committed]


class Groups(Admin):
    """
    Asks about the consumer groups of a cluster. If Kafka refuses to answer for one group, only the result for this
    group is an error.
    """

    def states(self, *, timeout: float) -> dict[str, str]:
        """
        Return group → state in lower case, for each group that this Kafka user may see. Groups of the newer protocol
        (``group.protocol = consumer``), which :meth:`described` does not find, are included.

        Raises :class:`BrokerError`, for example in the sandbox, which cannot list groups.
        """
        with as_broker_errors(self._client):
            answer = self._client.list_consumer_groups(request_timeout=timeout)
        found = result_of(answer, timeout)
        if found.errors and not found.valid:
            raise to_broker_error(found.errors[0])
        return {one.group_id: one.state.name.lower() for one in found.valid}

    def described(self, names: Collection[str], *, timeout: float) -> dict[str, GroupDescription | BrokerError]:
        """
        Return group → description; or group → error, if the coordinator gives no description. Raises
        :class:`BrokerError` if the request cannot be sent.
        """
        found: dict[str, GroupDescription | BrokerError] = {}
        left, deadline = sorted(names), monotonic() + timeout
        while left:
            seconds = _until(deadline)
            with as_broker_errors(self._client):
                answers = self._client.describe_consumer_groups(
                    left, include_authorized_operations=True, request_timeout=seconds
                )
            told = {name: result_or_error(answer, seconds) for name, answer in answers.items()}
            found |= {name: one if isinstance(one, BrokerError) else _group(one) for name, one in told.items()}
            left = [name for name in left if _is_moving(found[name]) and monotonic() < deadline]
            sleep(_BETWEEN if left else 0)
        return found

    def committed(
        self, asked: Mapping[str, Collection[Partition] | None], described: Described, *, timeout: float
    ) -> dict[str, Offsets | BrokerError]:
        """
        Return group → committed offsets; or group → error, if the offsets cannot be read. ``asked``: group →
        partitions; None: all partitions with a committed offset.

        ``described``: the latest result of :meth:`described`. If this result says that a group's coordinator is moving
        or was not reached, no request is sent for the group, and the error in ``described`` is returned. A request
        would be dangerous: if the coordinator answers that it has moved or is not ready, librdkafka looks for a
        consumer's group. An admin client has no such group, so librdkafka ends the process by a segmentation fault
        (librdkafka #5040).
        """
        unsafe = {name: error for name, error in _refusals(described).items() if name in asked and _is_unsafe(error)}
        found: dict[str, Offsets | BrokerError] = {**unsafe}
        deadline = monotonic() + timeout
        for part in parts(sorted(asked.keys() - found.keys()), _GROUPS_AT_ONCE):
            seconds = _until(deadline)
            answers = {name: self._ask_committed(name, asked[name], seconds) for name in part}
            found |= {name: _offsets_or_error(answer, seconds) for name, answer in answers.items()}
        return found

    def _ask_committed(self, group: str, partitions: Collection[Partition] | None, timeout: float) -> Future[Any]:
        named = None if partitions is None else [TopicPartition(*one) for one in sorted(partitions)]
        request = [ConsumerGroupTopicPartitions(group, named)]
        with as_broker_errors(self._client):
            answer: Future[Any] = self._client.list_consumer_group_offsets(request, request_timeout=timeout)[group]
        return answer


def parts(names: list[str], size: int) -> Iterator[list[str]]:
    """Split ``names`` into lists of at most ``size`` names."""
    return (names[start : start + size] for start in range(0, len(names), size))


def result_or_error(answer: Future[T], timeout: float) -> T | BrokerError:
    """Return the result of ``answer``, or the error that occurred instead."""
    try:
        return result_of(answer, timeout)
    except BrokerError as error:
        return error


def operations_of(told: Any) -> frozenset[str]:
    """Return the names of the operations that this user may perform, from a description by Kafka's client."""
    return frozenset(one.name for one in told.authorized_operations or ())


def _until(deadline: float) -> float:
    return max(deadline - monotonic(), _SHORTEST)


def _offsets_or_error(answer: Future[Any], timeout: float) -> Offsets | BrokerError:
    told = result_or_error(answer, timeout)
    if isinstance(told, BrokerError):
        return told
    for one in told.topic_partitions:
        if one.error is not None:
            return to_broker_error(one.error)
    return {
        (one.topic, one.partition): Committed(one.offset, one.metadata or "")
        for one in told.topic_partitions
        if one.offset >= 0
    }


def _refusals(described: Described) -> dict[str, BrokerError]:
    return {name: one for name, one in described.items() if isinstance(one, BrokerError)}


def _is_moving(told: object) -> bool:
    return isinstance(told, BrokerError) and meaning_of(told.code).coordinator_moves


def _is_unsafe(error: BrokerError) -> bool:
    return _is_moving(error) or error.kind is Trouble.UNREACHABLE or error.code == error_codes.TIMED_OUT


def _group(told: Any) -> GroupDescription:
    members = tuple(f"{one.client_id} on {one.host.lstrip('/')}" for one in told.members)
    return GroupDescription(state=told.state.name.lower(), members=members, operations=operations_of(told))
