"""Back-pressure: how much a worker may have read and not yet committed."""

from __future__ import annotations

from collections.abc import Callable, Collection

import attrs

from event_bus_kafka.consuming.progress import PartitionProgress

_PAUSE_AFTER = 5.0
"""Seconds for which a full window merely stops the polling: after a pause the first record comes 0.7 s late."""


@attrs.frozen
class Backpressure:
    """Which partitions may be read: ``records`` bounds each of them, ``size`` (bytes) all together."""

    records: int
    size: int
    clock: Callable[[], float]

    def are_full(self, partitions: Collection[PartitionProgress]) -> bool:
        """Whether nothing may be read now: one that is full and not paused holds up all, for a short time."""
        reading = [partition for partition in partitions if not partition.paused]
        return bool(reading) and (self._hold_too_much(partitions) or any(map(self._is_full, reading)))

    def room(self, partitions: Collection[PartitionProgress]) -> int:
        """Return how many records may be read now, of whatever partitions; at least one."""
        most = max((partition.held for partition in partitions if not partition.paused), default=0)
        return max(1, self.records - most)

    def need_commit(self, partitions: Collection[PartitionProgress]) -> bool:
        """Whether one is full because of what only waits for its commit."""
        return any(self._is_full(partition) and partition.passed >= self.records / 2 for partition in partitions)

    def to_pause(self, partitions: Collection[PartitionProgress]) -> list[PartitionProgress]:
        """Return those that have been full for long, so that others are read. Notes since when each is full."""
        now, too_much = self.clock(), self._hold_too_much(partitions)
        for partition in partitions:
            if not too_much and not self._is_full(partition):
                partition.full_since = None
            elif partition.full_since is None:
                partition.full_since = now
        return [
            partition
            for partition in partitions
            if not partition.paused and partition.full_since is not None and now - partition.full_since >= _PAUSE_AFTER
        ]

    def to_resume(self, partitions: Collection[PartitionProgress]) -> list[PartitionProgress]:
        """Return those that are paused and have room again."""
        return [partition for partition in partitions if partition.paused and partition.full_since is None]

    def _hold_too_much(self, partitions: Collection[PartitionProgress]) -> bool:
        return sum(partition.size for partition in partitions) >= self.size

    def _is_full(self, partition: PartitionProgress) -> bool:
        return partition.held >= self.records
