"""Back-pressure: how much a worker may have read and not yet committed."""

from __future__ import annotations

from collections.abc import Callable, Collection

import attrs

from event_bus_kafka.consuming.progress import PartitionProgress

_PAUSE_AFTER = 5.0
"""Seconds for which a full window merely stops the polling: after a pause the first record comes 0.7 s late."""


@attrs.frozen
class Backpressure:
    """
    Which partitions may be read: ``records`` bounds each of them, ``size`` (bytes) all together.

    Half of the bytes are common; of the others each partition has an equal share, which no other can take.
    """

    records: int
    size: int
    clock: Callable[[], float]

    def are_full(self, partitions: Collection[PartitionProgress]) -> bool:
        """Whether nothing may be read now: one that is full and not paused holds up all, for a short time."""
        return any(not partition.paused for partition in self._full(partitions))

    def room(self, partitions: Collection[PartitionProgress]) -> int:
        """Return how many records may be read now, of whatever partitions; at least one."""
        most = max((partition.held for partition in partitions if not partition.paused), default=0)
        return max(1, self.records - most)

    def need_commit(self, partitions: Collection[PartitionProgress]) -> bool:
        """Whether one is full because of what only waits for its commit."""
        return any(one.held >= self.records and one.passed >= self.records / 2 for one in partitions)

    def to_pause(self, partitions: Collection[PartitionProgress]) -> list[PartitionProgress]:
        """Return those that have been full for long, so that others are read. Notes since when each is full."""
        now, full = self.clock(), self._full(partitions)
        for partition in partitions:
            since = now if partition.full_since is None else partition.full_since
            partition.full_since = since if partition in full else None
        return [one for one in full if not one.paused and now - (one.full_since or 0.0) >= _PAUSE_AFTER]

    def to_resume(self, partitions: Collection[PartitionProgress]) -> list[PartitionProgress]:
        """Return those that are paused and have room again."""
        return [partition for partition in partitions if partition.paused and partition.full_since is None]

    def _full(self, partitions: Collection[PartitionProgress]) -> list[PartitionProgress]:
        share = self.size / 2 / max(1, len(partitions))
        is_common_used_up = sum(max(0, one.size - share) for one in partitions) >= self.size / 2
        return [one for one in partitions if one.held >= self.records or (is_common_used_up and one.size >= share)]
