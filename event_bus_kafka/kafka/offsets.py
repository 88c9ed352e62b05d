"""Offsets: the committed offsets of consumer groups, and the first and end offset of a partition."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs
from confluent_kafka import OFFSET_END, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, no_answer, to_broker_error, to_commit_error
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.kafka.factory import Options, make_client

Partition = tuple[str, int]
"""Topic (full name) and partition number."""
MOCK = "mockCluster"
"""Prefix of the cluster id of librdkafka's mock brokers, which answer every query by time with the end offset."""


@attrs.frozen
class Range:
    """A range of offsets: ``start`` is the first offset, ``end`` is one above the last."""

    start: int
    end: int


@attrs.frozen
class Committed:
    """
    The committed offset of a partition, that is the offset of the next record to read, and the metadata of that commit.
    """

    offset: int
    metadata: str = ""


class GroupOffsets:
    """Reads and commits the offsets of a consumer group. Base of :class:`ConsumerClient` and :class:`Reader`."""

    _client: Any

    def committed(self, partitions: Iterable[Partition], *, timeout: float) -> dict[Partition, Committed]:
        """Return the committed offsets of the partitions that have one. Raises :class:`BrokerError`."""
        found, refused = self.committed_each(partitions, timeout=timeout)
        for error in refused.values():
            raise error
        return found

    def committed_each(
        self, partitions: Iterable[Partition], *, timeout: float
    ) -> tuple[dict[Partition, Committed], dict[Partition, BrokerError]]:
        """
        Return the committed offsets, and the error of each refused partition. Raises :class:`BrokerError` if the
        request fails.
        """
        with as_broker_errors():
            found = self._client.committed([TopicPartition(*partition) for partition in partitions], timeout=timeout)
        refused = {(one.topic, one.partition): to_broker_error(one.error) for one in found if one.error is not None}
        committed = {
            (one.topic, one.partition): Committed(one.offset, one.metadata or "")
            for one in found
            if one.error is None and one.offset >= 0
        }
        return committed, refused

    def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        """
        Commit the offsets of the next records to read, and wait for the answer. An empty mapping does nothing.

        Raises :class:`AssignmentLost` or another :class:`BrokerError` if Kafka refuses any of them.
        """
        for error in self.commit_each(offsets).values():
            raise error

    def commit_each(self, offsets: Mapping[Partition, Committed]) -> dict[Partition, BrokerError]:
        """
        Commit offsets, wait for the answer, and return the error of each refused partition. May block for a long time
        if the broker is silent.
        """
        positions = [
            TopicPartition(topic, number, one.offset, one.metadata) for (topic, number), one in offsets.items()
        ]
        if not positions:
            return {}  # the client would report that it has no offset
        try:
            answers = self._client.commit(offsets=positions, asynchronous=False)
        except KafkaException as error:
            return dict.fromkeys(offsets, to_commit_error(error))
        return {
            (one.topic, one.partition): to_commit_error(one.error) for one in answers or () if one.error is not None
        }


class LogOffsets:
    """Asks Kafka for the offsets of partitions. ``timeout`` (seconds) applies to each request."""

    _client: Any

    def range_of(self, partition: Partition, *, timeout: float) -> Range:
        """Return the first and the end offset of a partition. Raises :class:`BrokerError`."""
        with as_broker_errors():
            found = self._client.get_watermark_offsets(TopicPartition(*partition), timeout=timeout)
        if found is None:
            raise no_answer(timeout)
        return Range(*found)

    def offsets_at(self, partitions: Iterable[Partition], time: int, *, timeout: float) -> dict[Partition, int]:
        """
        Return the offset of each partition's first record at or after ``time`` (milliseconds since the epoch), or the
        end of the partition if there is none. Raises :class:`BrokerError`.
        """
        asked = [TopicPartition(*partition, time) for partition in partitions]
        if not asked:
            return {}
        with as_broker_errors():
            if str(self._client.list_topics(asked[0].topic, timeout=timeout).cluster_id).startswith(MOCK):
                raise BrokerError(
                    error_codes.UNSUPPORTED_FEATURE,
                    "The sandbox's brokers cannot find offsets by time: use a real Kafka.",
                )
            # First the ends: a record that arrives in between would be at or after the time, but below the end.
            ends = {(one.topic, one.partition): self._end_of(one, timeout) for one in asked}
            found = self._client.offsets_for_times(asked, timeout=timeout)
            for one in found:
                if one.error is not None:
                    raise KafkaException(one.error)
        offsets = {(one.topic, one.partition): one.offset for one in found}
        return {name: ends[name] if offset == OFFSET_END else offset for name, offset in offsets.items()}

    def _end_of(self, asked: TopicPartition, timeout: float) -> int:
        return self.range_of((asked.topic, asked.partition), timeout=timeout).end


@attrs.frozen(kw_only=True)
class GroupPositions:
    """
    Committed offsets of some partitions, by group; groups without a committed offset on these partitions are left out.
    """

    committed: Mapping[str, Mapping[Partition, Committed]]
    refused: Mapping[str, BrokerError]
    """Groups that this user may not describe, or whose request failed."""


class Groups:
    """The consumer groups of a cluster. ``timeout`` is always in seconds."""

    def __init__(self, options: Options) -> None:
        self._client = make_client(AdminClient, options, "admin")

    def names(self, *, timeout: float) -> list[str]:
        """
        Return the groups that this user may describe. Raises :class:`BrokerError`; the sandbox cannot list groups.
        """
        with as_broker_errors(self._client):
            answer = self._client.list_consumer_groups(request_timeout=timeout)
            found = _result(answer, timeout)
        if found.errors and not found.valid:
            raise to_broker_error(found.errors[0])
        return sorted(one.group_id for one in found.valid)

    def positions(self, groups: Iterable[str], partitions: Collection[Partition], *, timeout: float) -> GroupPositions:
        """
        Return the committed offsets of ``groups`` on ``partitions``; the groups are asked about at the same time.

        First each group is described: if its coordinator has moved, the request for offsets would make librdkafka end
        the process (librdkafka #5040).
        """
        asked = [TopicPartition(*one) for one in sorted(partitions)]
        names = sorted(groups)
        refused = self._without_coordinator(names, timeout)
        with as_broker_errors(self._client):
            answers = {name: self._ask(name, asked, timeout) for name in names if name not in refused}
        committed: dict[str, Mapping[Partition, Committed]] = {}
        for name, answer in answers.items():
            try:
                with as_broker_errors():
                    found = _committed(_result(answer, timeout))
            except BrokerError as error:
                refused[name] = error
            else:
                committed |= {name: found} if found else {}
        return GroupPositions(committed=committed, refused=refused)

    def _without_coordinator(self, names: list[str], timeout: float) -> dict[str, BrokerError]:
        if not names:
            return {}
        with as_broker_errors(self._client):
            answers = self._client.describe_consumer_groups(names, request_timeout=timeout)
        found: dict[str, BrokerError] = {}
        for name, answer in answers.items():
            try:
                with as_broker_errors():
                    _result(answer, timeout)
            except BrokerError as error:
                if meaning_of(error.code).coordinator_moves or error.code == error_codes.TIMED_OUT:
                    found[name] = error
        return found

    def _ask(self, group: str, asked: list[TopicPartition], timeout: float) -> Any:
        request = [ConsumerGroupTopicPartitions(group, asked)]
        return self._client.list_consumer_group_offsets(request, request_timeout=timeout)[group]


def _committed(found: Any) -> dict[Partition, Committed]:
    for one in found.topic_partitions:
        if one.error is not None:
            raise KafkaException(one.error)
    return {
        (one.topic, one.partition): Committed(one.offset, one.metadata or "")
        for one in found.topic_partitions
        if one.offset >= 0
    }


def _result(answer: Any, timeout: float) -> Any:
    try:
        return answer.result(timeout + 1)
    except TimeoutError:
        raise no_answer(timeout) from None
