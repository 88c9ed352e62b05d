"""Offsets: the committed offsets of consumer groups, and the first and end offset of a partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from confluent_kafka import OFFSET_END, KafkaException, TopicPartition

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, no_answer, to_broker_error, to_commit_error

Partition = tuple[str, int]
"""Topic (full name) and partition number."""
MOCK = "mockCluster"
"""
Prefix of the id of librdkafka's mock cluster, whose brokers cannot find offsets by time: they return the end offset for
any time.
"""


@attrs.frozen
class Range:
    """A range of offsets: ``start`` is the first offset, ``end`` is the last offset plus 1."""

    start: int
    end: int


@attrs.frozen
class Committed:
    """
    The committed offset of a partition, which is the offset of the next record to read, and the metadata stored with
    it.
    """

    offset: int
    metadata: str = ""


class GroupOffsets:
    """Reads and commits the offsets of a consumer group. Base of :class:`ConsumerClient` and :class:`Reader`."""

    _client: Any

    def committed(self, partitions: Iterable[Partition], *, timeout: float) -> dict[Partition, Committed]:
        """
        Return partition → committed offset. Partitions without a committed offset are left out. Raises
        :class:`BrokerError`.
        """
        found, refused = self.committed_each(partitions, timeout=timeout)
        for error in refused.values():
            raise error
        return found

    def committed_each(
        self, partitions: Iterable[Partition], *, timeout: float
    ) -> tuple[dict[Partition, Committed], dict[Partition, BrokerError]]:
        """
        Return two mappings: partition → committed offset, and partition → error if Kafka refuses the partition. Raises
        :class:`BrokerError` if the request fails.
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
        Commit the offsets of the next records to read, and wait for the answer. Do nothing if ``offsets`` is empty.

        Raises :class:`AssignmentLost` or another :class:`BrokerError` if Kafka refuses any of the offsets.
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
        Return partition → offset of the first record at or after ``time`` (milliseconds since the epoch). If a
        partition has no record at or after ``time``, return its end offset. Raises :class:`BrokerError`.
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
