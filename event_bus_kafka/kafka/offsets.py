"""What the partitions of a topic hold: which offsets there are, and from when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from confluent_kafka import OFFSET_END, KafkaException, TopicPartition

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, no_answer

Partition = tuple[str, int]
"""Topic (full name) and number."""
_MOCK = "mockCluster"
"""How the id of librdkafka's own brokers begins: asked for a time, they answer with the end, whatever they hold."""


@attrs.frozen
class Range:
    """Offsets that a partition has: from the first record to behind the last."""

    start: int
    end: int


class LogOffsets:
    """Asks for offsets; ``timeout``, in seconds, holds for each request."""

    _client: Any

    def range_of(self, partition: Partition, *, timeout: float) -> Range:
        """Return the offsets that a partition has. Raises :class:`BrokerError`."""
        with as_broker_errors():
            found = self._client.get_watermark_offsets(TopicPartition(*partition), timeout=timeout)
        if found is None:
            raise no_answer(timeout)
        return Range(*found)

    def offsets_at(self, partitions: Iterable[Partition], time: int, *, timeout: float) -> dict[Partition, int]:
        """
        Return the offset of each partition's first record at or after a time (milliseconds since the epoch); that of
        its end without one. Raises :class:`BrokerError`.
        """
        asked = [TopicPartition(*partition, time) for partition in partitions]
        if not asked:
            return {}
        with as_broker_errors():
            if str(self._client.list_topics(asked[0].topic, timeout=timeout).cluster_id).startswith(_MOCK):
                raise BrokerError(
                    error_codes.UNSUPPORTED_FEATURE,
                    "These brokers find no offsets by time, as the sandbox: use a real Kafka.",
                )
            # Before the question: a record that comes between would be after the time, and before the end.
            ends = {(one.topic, one.partition): self._end_of(one, timeout) for one in asked}
            found = self._client.offsets_for_times(asked, timeout=timeout)
            for one in found:
                if one.error is not None:
                    raise KafkaException(one.error)
        offsets = {(one.topic, one.partition): one.offset for one in found}
        return {name: ends[name] if offset == OFFSET_END else offset for name, offset in offsets.items()}

    def _end_of(self, asked: TopicPartition, timeout: float) -> int:
        return self.range_of((asked.topic, asked.partition), timeout=timeout).end
