"""Where the partitions of an assignment are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, KafkaException, TopicPartition

from event_bus_kafka.kafka.errors import understood
from event_bus_kafka.kafka.log import Partition, our_errors

RESET = "auto.offset.reset"
_AT_END = frozenset({"latest", "largest", "end"})
_GONE = frozenset({"_AUTO_OFFSET_RESET", "_LOG_TRUNCATION"})
"""Codes that say: nothing is read of this partition until it is moved."""


class Places:
    """
    The assigned partitions of one client, whose ``auto.offset.reset`` is ``error``.

    Where an offset is missing or gone, librdkafka would else go on elsewhere without a word.
    """

    def __init__(self, client: Any, reset: Any) -> None:
        self._client = client
        self._moved_to: dict[Partition, int] = {}
        self.assigned: set[Partition] = set()
        self.adrift: dict[Partition, int | None] = {}
        """Assigned partitions that lack the offset to read next; None: the group has committed none. Move them."""
        self.begins_at_end = reset in _AT_END
        """Where to go for want of an offset: else to the first record."""

    def move(self, offsets: Mapping[Partition, int | None]) -> None:
        """
        Go on at other offsets, None: where a group begins that has committed none. What was read ahead is dropped.

        Raises :class:`BrokerError`.
        """
        if not offsets:
            return
        default = OFFSET_END if self.begins_at_end else OFFSET_BEGINNING
        to = {partition: default if offset is None else offset for partition, offset in offsets.items()}
        with our_errors():
            self._assign(to)
        self._moved_to |= to
        for partition in to:
            self.adrift.pop(partition, None)

    def note(self, message: Any) -> bool:
        """Note an error that stands in place of a record, if it says that an offset is gone; return whether it does."""
        gone = message.error().name() in _GONE
        partition = (message.topic(), message.partition())
        if gone and partition in self.assigned:
            self.adrift[partition] = message.offset()
        return gone

    def forget(self, partitions: Iterable[Partition]) -> None:
        """They are not assigned any more."""
        for partition in partitions:
            self.assigned.discard(partition)
            self._moved_to.pop(partition, None)
            self.adrift.pop(partition, None)

    def _assign(self, to: dict[Partition, int]) -> None:
        try:  # no seek: it is refused where nothing is read
            self._client.incremental_unassign(_positions(to))
            self._client.incremental_assign(_positions(to))
        except KafkaException as error:
            if understood(error).code != "_STATE":
                raise
            self._client.assign(_positions(self._now() | to))  # a group of eager members assigns all at once

    def _now(self) -> dict[Partition, int]:
        """
        Return where each partition is read. One that was moved and has brought no record since has no position: sent to
        its committed offset, which may be missing, it would have to be moved again, and that would undo the next.
        """
        read = self._client.position([TopicPartition(*partition) for partition in self.assigned])
        positions = {(one.topic, one.partition): one.offset for one in read if one.offset >= 0}
        return dict.fromkeys(self.assigned, OFFSET_INVALID) | self._moved_to | positions


def _positions(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
