"""The partitions that are assigned to a client, and from where they are read."""

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
"""The offset at which a partition is assigned that is paused: librdkafka asks nobody about it."""


class AssignedPositions:
    """
    The assigned partitions of one client, whose ``auto.offset.reset`` is ``error``.

    With any other value librdkafka would silently go on elsewhere where an offset is missing or gone. A partition is
    assigned paused: it waits for :meth:`start`, as does one whose offset is gone.
    """

    def __init__(self, client: Any, options: Options) -> None:
        self._client = client
        self._is_incremental = _is_incremental(options)
        self.assigned: set[Partition] = set()
        self.waiting: dict[Partition, int | None] = {}
        """
        Assigned partitions that are not read until they are started → the offset that is gone; None: newly assigned.
        """
        self.begins_at_end = options.get(RESET) in _AT_END
        """Whether a partition without an offset is to be read from its end; otherwise, from its first record."""

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Assign inside the callback, so that they can be paused: the client would do so after it, at other offsets."""
        added = _at(dict.fromkeys(partitions, _NOWHERE))
        (self._client.incremental_assign if self._is_incremental else self._client.assign)(added)
        self._client.pause(added)
        self.assigned.update(partitions)
        self.waiting |= dict.fromkeys(partitions)

    def start(self, offsets: Mapping[Partition, int], reading: Mapping[Partition, int]) -> None:
        """
        Read from ``offsets`` on; records of these partitions that were fetched before are dropped. ``reading``:
        positions of the other partitions, since a group of eager members assigns all at once. Raises
        :class:`BrokerError`.
        """
        to = _at(offsets)
        with as_broker_errors():
            # First resumed: a partition that is resumed last is fetched a second late, and librdkafka may forget an
            # offset that is followed by a pause or a resume (its issue 2190). No seek: refused where nothing is read.
            self._client.resume(to)
            if self._is_incremental:
                self._client.incremental_unassign(to)
                self._client.incremental_assign(to)
            else:
                self._client.assign(_at({**dict.fromkeys(self.assigned, _NOWHERE), **reading, **offsets}))
        for partition in offsets:
            self.waiting.pop(partition, None)

    def mark_gone(self, message: Any) -> bool:
        """Return whether an error in place of a record says that an offset is gone; if so, the partition waits."""
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
    """Whether members keep their partitions when others join; otherwise the client refuses to assign only a part."""
    protocol = str(options.get("group.protocol", "")).strip().lower()
    return protocol == "consumer" or "cooperative" in str(options.get("partition.assignment.strategy", ""))


def _at(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
