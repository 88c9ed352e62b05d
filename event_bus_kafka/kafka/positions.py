"""The positions at which assigned partitions are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, KafkaException, TopicPartition

from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, to_broker_error
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.kafka.offsets import Partition

RESET = "auto.offset.reset"
_AT_END = frozenset({"latest", "largest", "end"})


class AssignedPositions:
    """
    The assigned partitions of one client, whose ``auto.offset.reset`` is ``error``.

    With any other value librdkafka would silently go on elsewhere where an offset is missing or gone.
    """

    def __init__(self, client: Any, reset: Any) -> None:
        self._client = client
        self._moved_to: dict[Partition, int] = {}
        self.assigned: set[Partition] = set()
        self.without_offset: dict[Partition, int | None] = {}
        """Assigned partitions, not read until moved → their lost offset; None: the group has committed none."""
        self.begins_at_end = reset in _AT_END
        """Whether a partition without an offset is to be read from its end; otherwise, from its first record."""

    @property
    def initial_offset(self) -> int:
        """Where a group that has committed nothing begins."""
        return OFFSET_END if self.begins_at_end else OFFSET_BEGINNING

    def move(self, offsets: Mapping[Partition, int | None]) -> None:
        """
        Read on at other offsets. None: where the partition is read, or if that is unknown, at ``initial_offset``.
        Prefetched records are dropped.

        Raises :class:`BrokerError`.
        """
        if not offsets:
            return
        with as_broker_errors():
            now = self._current()
            to = {
                name: self._or_initial(now.get(name, OFFSET_INVALID)) if offset is None else offset
                for name, offset in offsets.items()
            }
            self._assign(to, now)
        self._moved_to |= to
        for partition in to:
            self.without_offset.pop(partition, None)

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Assign now, inside the callback, so that the partitions can be paused: the client would do so after it."""
        try:
            self._client.incremental_assign(partitions)
        except KafkaException as error:
            if to_broker_error(error).code != error_codes.STATE:
                raise
            self._client.assign(partitions)

    def mark_without_offset(self, message: Any) -> bool:
        """Return whether an error in place of a record says that an offset is gone; if so, list the partition."""
        gone = meaning_of(message.error().name()).offset_gone
        partition = (message.topic(), message.partition())
        if gone and partition in self.assigned:
            self.without_offset[partition] = message.offset()
        return gone

    def is_repositioned(self, partition: Partition) -> bool:
        """
        True if the partition was repositioned after the error that listed it in ``without_offset``: its position is
        valid, leave it. Errors come late where all partitions of a client are assigned anew for one that is moved.
        """
        now = self._current()[partition]
        return now != OFFSET_INVALID and now != self.without_offset[partition]

    def mark_read(self, partitions: Iterable[Partition]) -> None:
        """Records of ``partitions`` have come: from now on the client knows their positions."""
        for partition in self._moved_to.keys() & set(partitions):
            del self._moved_to[partition]

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop all state of ``partitions`` that are no longer assigned."""
        for partition in partitions:
            self.assigned.discard(partition)
            self._moved_to.pop(partition, None)
            self.without_offset.pop(partition, None)

    def _or_initial(self, offset: int) -> int:
        return self.initial_offset if offset == OFFSET_INVALID else offset

    def _assign(self, to: dict[Partition, int], now: dict[Partition, int]) -> None:
        try:  # no seek: it is refused where nothing is read
            self._client.incremental_unassign(_positions(to))
            self._client.incremental_assign(_positions(to))
        except KafkaException as error:
            if to_broker_error(error).code != error_codes.STATE:
                raise
            self._client.assign(_positions(now | to))  # a group of eager members assigns all at once

    def _current(self) -> dict[Partition, int]:
        """
        Return where each partition is read, OFFSET_INVALID if unknown. The client assigns with a delay: until a record
        has come, it tells the position from before. A partition sent to its committed offset, which may be missing,
        would have to be moved again, which would undo the next move.
        """
        read = self._client.position([TopicPartition(*partition) for partition in self.assigned])
        positions = {(one.topic, one.partition): one.offset for one in read if one.offset >= 0}
        return dict.fromkeys(self.assigned, OFFSET_INVALID) | positions | self._moved_to


def _positions(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
