"""Reads records, and a group's committed offsets, without being a member of any group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from time import monotonic
from typing import Any, Self

import confluent_kafka
from confluent_kafka import KafkaException, TopicPartition

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, no_answer
from event_bus_kafka.kafka.cluster.groups import Groups
from event_bus_kafka.kafka.factory import Options, make_client
from event_bus_kafka.kafka.messages import to_record
from event_bus_kafka.kafka.offsets import GroupOffsets, LogOffsets, Partition, Range
from event_bus_kafka.wire.records import ConsumerRecord

_BATCH = 500
_SHORTEST = 0.1
"""Minimum time limit of a request, in seconds. Kafka's client refuses 0, or takes 0 for no limit."""
_OWN: Options = {"enable.partition.eof": True, "auto.offset.reset": "error"}


class Reader(GroupOffsets, LogOffsets):
    """
    Reads given partitions, and commits offsets for a group that has no members. Not thread-safe; ``timeout`` (seconds)
    applies to each request.
    """

    def __init__(self, options: Options, *, timeout: float, until: float = inf) -> None:
        """``until``: monotonic time after which no request waits for more than 0.1 s."""
        self._options = options
        self._client = make_client(confluent_kafka.Consumer, options | _OWN, "consumer")
        self._timeout = timeout
        self._until = until

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    @property
    def timeout(self) -> float:
        """Seconds that a request made now may take: the given ``timeout``, or less if ``until`` comes earlier."""
        return max(min(self._timeout, self._until - monotonic()), _SHORTEST)

    def partitions(self, topic: str) -> list[Partition]:
        """Return the partitions of a topic; an empty list if the topic does not exist. Raises :class:`BrokerError`."""
        with as_broker_errors():
            found = self._client.list_topics(topic, timeout=self.timeout).topics[topic]
        return [(topic, number) for number in sorted(found.partitions)]

    def record_at(self, partition: Partition, offset: int) -> ConsumerRecord | None:
        """Return the record at an offset; None if the partition has no record there. Raises as :meth:`read` does."""
        return next(self.read(partition, Range(offset, offset + 1)), None)

    def read(self, partition: Partition, offsets: Range) -> Iterator[ConsumerRecord]:
        """Yield the records of a range. Raises :class:`BrokerError`, also if no record comes within the time-out."""
        return (record for record, _ in self.read_stamped(partition, offsets))

    def read_stamped(self, partition: Partition, offsets: Range) -> Iterator[tuple[ConsumerRecord, int | None]]:
        """
        Yield the records of a range, each with the time at which a broker wrote it (milliseconds since the epoch); the
        time is None if the topic keeps the senders' times. Raises as :meth:`read` does.
        """
        with as_broker_errors():
            self._client.assign([TopicPartition(*partition, offsets.start)])
            most = min(_BATCH, max(1, offsets.end - offsets.start))  # otherwise the client waits a little for more
            while messages := self._next_messages(most):
                for message in messages:
                    error = message.error()
                    if error is not None and error.name() != error_codes.PARTITION_EOF:
                        raise KafkaException(error)
                    if error is not None or message.offset() >= offsets.end:
                        return
                    yield to_record(message), _written_at(message)

    def members(self, group: str) -> list[str]:
        """Return the live members of a group, as client id and host. Raises :class:`BrokerError`."""
        told = Groups(self._options).described([group], timeout=self.timeout)[group]
        if isinstance(told, BrokerError):
            raise told
        return list(told.members)

    def committed_topics(self, group: str) -> set[str]:
        """Return the topics for which a group has committed offsets. Raises :class:`BrokerError`."""
        groups = Groups(self._options)
        described = groups.described([group], timeout=self.timeout)
        told = groups.committed({group: None}, described, timeout=self.timeout)[group]
        if isinstance(told, BrokerError):
            raise told
        return {topic for topic, _ in told}

    def follow(self, starts: Mapping[Partition, int], ends: Mapping[Partition, int] | None) -> Iterator[ConsumerRecord]:
        """
        Yield records of partitions as they arrive. If ``ends`` is given, yield only records below ``ends``. If ``ends``
        is None, never stop.

        Raises :class:`BrokerError` if a partition cannot be read any more.
        """
        left = {name for name in starts if ends is None or starts[name] < ends[name]}
        with as_broker_errors():
            self._client.assign([TopicPartition(*name, starts[name]) for name in left])
            while left:
                for message in self._client.consume(_BATCH, 0.1):
                    name, error = (message.topic(), message.partition()), message.error()
                    if error is not None and error.name() != error_codes.PARTITION_EOF:
                        if name in starts:
                            raise KafkaException(error)
                        continue  # an error of the whole client, which keeps trying
                    at_end = ends is not None and name in starts and message.offset() >= ends[name]
                    if error is None and not at_end:
                        yield to_record(message)
                    if at_end or (ends is not None and message.offset() + 1 == ends.get(name)):
                        left.discard(name)

    def _next_messages(self, most: int) -> list[Any]:
        deadline = monotonic() + self.timeout
        while monotonic() < deadline:
            # A message without a topic is an error of the whole client, such as a missing right on a group: ignored.
            messages = [one for one in self._client.consume(most, 0.1) if one.topic() is not None]
            if messages:
                return messages
        raise no_answer(self.timeout)


def _written_at(message: Any) -> int | None:
    kind, timestamp = message.timestamp()
    return int(timestamp) if kind == confluent_kafka.TIMESTAMP_LOG_APPEND_TIME else None
