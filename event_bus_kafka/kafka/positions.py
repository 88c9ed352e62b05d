"""The partitions that are assigned to a client, and for each partition the offset from which the client reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import TopicPartition

from event_bus_kafka.kafka.broker_errors import as_broker_errors
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.kafka.factory import Options
from event_bus_kafka.kafka.offsets import Partition

RESET = "auto.offset.reset"
_AT_END = frozenset({"latest", "largest", "end"})
_NOWHERE = 0
"""Placeholder for the offset of a partition that is assigned and paused. librdkafka does not check this offset."""


class AssignedPositions:
    """
    The assigned partitions of one client, whose ``auto.offset.reset`` is ``error``.

    With another value, librdkafka would silently continue at another offset if a partition's offset does not exist.
    Each partition is assigned in paused state and waits for :meth:`start`. A partition whose offset no longer exists
    waits for :meth:`start`, too.
    """

    def __init__(self, client: Any, options: Options) -> None:
        self._client = client
        self._is_incremental = _is_incremental(options)
        self.assigned: set[Partition] = set()
        self.waiting: dict[Partition, int | None] = {}
        """
        Assigned partition that is not read until it is started → the offset that no longer exists; None: the partition
        is newly assigned.
        """
        self.begins_at_end = options.get(RESET) in _AT_END
        """
        Whether a partition without a committed offset is read from its end. If False, the partition is read from its
        first record.
        """

    def assign(self, partitions: Iterable[Partition]) -> None:
        """
        Assign partitions inside the assignment callback, and pause them. Otherwise the client would assign them by
        itself after the callback, at other offsets.
        """
        added = _at(dict.fromkeys(partitions, _NOWHERE))
        (self._client.incremental_assign if self._is_incremental else self._client.assign)(added)
        self._client.pause(added)
        self.assigned.update(partitions)
        self.waiting |= dict.fromkeys(partitions)

    def start(self, offsets: Mapping[Partition, int], reading: Mapping[Partition, int]) -> None:
        """
        Read partitions from ``offsets`` on, and discard their records that were fetched before. ``reading``: the
        positions of the other partitions, which are needed because an eager group assigns all partitions at once.
        Raises :class:`BrokerError`.
        """
        to = _at(offsets)
        with as_broker_errors():
            # Resume first: a partition that is resumed last is fetched a second late, and librdkafka may forget an
            # offset if a pause or a resume follows (librdkafka #2190). No seek: refused before a partition is read.
            self._client.resume(to)
            if self._is_incremental:
                self._client.incremental_unassign(to)
                self._client.incremental_assign(to)
            else:
                self._client.assign(_at({**dict.fromkeys(self.assigned, _NOWHERE), **reading, **offsets}))
        for partition in offsets:
            self.waiting.pop(partition, None)

    def mark_gone(self, message: Any) -> bool:
        """
        Return whether an error that came in place of a record says that an offset no longer exists. If it does, and
        the partition is assigned, note that the partition waits for :meth:`start`.
        """
        gone = meaning_of(message.error().name()).offset_gone
        partition = (message.topic(), message.partition())
        if gone and partition in self.assigned:
            self.waiting.setdefault(partition, message.offset())
        return gone

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop partitions that are no longer assigned."""
        for partition in partitions:
            self.assigned.discard(partition)
            self.waiting.pop(partition, None)


def _is_incremental(options: Options) -> bool:
    """
    Return whether group members keep their partitions when other members join. If not, the client must assign all
    partitions at once.
    """
    protocol = str(options.get("group.protocol", "")).strip().lower()
    return protocol == "consumer" or "cooperative" in str(options.get("partition.assignment.strategy", ""))


def _at(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
