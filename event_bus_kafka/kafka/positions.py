"""Where the partitions of an assignment are read."""

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

    Where an offset is missing or gone, librdkafka would else go on elsewhere without a word.
    """

    def __init__(self, client: Any, reset: Any) -> None:
        self._client = client
        self._moved_to: dict[Partition, int] = {}
        self.assigned: set[Partition] = set()
        self.without_offset: dict[Partition, int | None] = {}
        """Assigned partitions that lack the offset to read next; None: the group has committed none. Move them."""
        self.begins_at_end = reset in _AT_END
        """Where to go for want of an offset: else to the first record."""

    @property
    def origin(self) -> int:
        """Where a group begins that has committed nothing."""
        return OFFSET_END if self.begins_at_end else OFFSET_BEGINNING

    def move(self, offsets: Mapping[Partition, int | None]) -> None:
        """
        Go on at other offsets, None: where the partition is read, else where a group begins that has committed none.
        What was read ahead is dropped.

        Raises :class:`BrokerError`.
        """
        if not offsets:
            return
        with as_broker_errors():
            now = self._now()
            to = {
                name: self._known(now.get(name, OFFSET_INVALID)) if offset is None else offset
                for name, offset in offsets.items()
            }
            self._assign(to, now)
        self._moved_to |= to
        for partition in to:
            self.without_offset.pop(partition, None)

    def accept(self, partitions: list[TopicPartition]) -> None:
        """Take an assignment over now, so that it can be paused: the client would do so after its callback."""
        try:
            self._client.incremental_assign(partitions)
        except KafkaException as error:
            if to_broker_error(error).code != error_codes.STATE:
                raise
            self._client.assign(partitions)

    def note(self, message: Any) -> bool:
        """Note an error that stands in place of a record, if it says that an offset is gone; return whether it does."""
        gone = meaning_of(message.error().name()).offset_gone
        partition = (message.topic(), message.partition())
        if gone and partition in self.assigned:
            self.without_offset[partition] = message.offset()
        return gone

    def is_overtaken(self, partition: Partition) -> bool:
        """
        Whether a partition was moved after the error came about that set it adrift: it is well where it is. Errors come
        late where all partitions of a client are assigned anew for one that is moved.
        """
        now = self._now()[partition]
        return now != OFFSET_INVALID and now != self.without_offset[partition]

    def note_read(self, partitions: Iterable[Partition]) -> None:
        """Records came of them: from now on the client knows their positions."""
        for partition in self._moved_to.keys() & set(partitions):
            del self._moved_to[partition]

    def forget(self, partitions: Iterable[Partition]) -> None:
        """They are not assigned any more."""
        for partition in partitions:
            self.assigned.discard(partition)
            self._moved_to.pop(partition, None)
            self.without_offset.pop(partition, None)

    def _known(self, place: int) -> int:
        return self.origin if place == OFFSET_INVALID else place

    def _assign(self, to: dict[Partition, int], now: dict[Partition, int]) -> None:
        try:  # no seek: it is refused where nothing is read
            self._client.incremental_unassign(_positions(to))
            self._client.incremental_assign(_positions(to))
        except KafkaException as error:
            if to_broker_error(error).code != error_codes.STATE:
                raise
            self._client.assign(_positions(now | to))  # a group of eager members assigns all at once

    def _now(self) -> dict[Partition, int]:
        """
        Return where each partition is read. The client takes its time to assign: until a record has come, its position
        is the one before. And sent to its committed offset, which may be missing, a partition would have to be moved
        again, which would undo the next move.
        """
        read = self._client.position([TopicPartition(*partition) for partition in self.assigned])
        positions = {(one.topic, one.partition): one.offset for one in read if one.offset >= 0}
        return dict.fromkeys(self.assigned, OFFSET_INVALID) | positions | self._moved_to


def _positions(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
