"""Limits the number of records that a worker has read and not yet committed, and the bytes of unfinished records."""

from __future__ import annotations

from collections.abc import Callable, Collection

import attrs

from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.kafka.consumer import ConsumerClient
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import WindowFull
from event_bus_kafka.telemetry.health import Health, Obstacle

_PAUSE_AFTER = 5.0
"""
Seconds after which the client pauses a full partition. Before the pause the worker only stops polling. The client does
not pause earlier, because a pause delays the partition's first record after the resume by 0.7 s.
"""

Partitions = Collection[PartitionProgress]


@attrs.frozen
class Backpressure:
    """
    Decides from which partitions the worker may read. ``records`` limits the records of each partition. ``size`` limits
    the bytes of all partitions together.

    One half of ``size`` is common to all partitions. The other half is split into equal shares, one per partition. A
    partition cannot use another partition's share.
    """

    group: str
    records: int
    size: int
    clock: Callable[[], float]
    health: Health

    def are_full(self, partitions: Partitions) -> bool:
        """
        Return whether any partition is full and not paused yet. If so, the worker reads no record of any partition.
        """
        return any(not partition.paused for partition in self._full(partitions))

    def room(self, partitions: Partitions) -> int:
        """Return the maximum number of records that one poll may return, in total over all partitions; at least 1."""
        most = max((partition.held for partition in partitions if not partition.paused), default=0)
        return max(1, self.records - most)

    def need_commit(self, partitions: Partitions) -> bool:
        """
        Return whether any window contains the maximum number of records, and at least half of these are finished and
        wait only for a commit.
        """
        return any(one.held >= self.records and one.passed >= self.records / 2 for one in partitions)

    def relieve(self, client: ConsumerClient, partitions: Partitions) -> None:
        """
        Pause a full partition if its window became full at least ``_PAUSE_AFTER`` seconds ago, and was never less than
        half full after that. Then the client reads the other partitions. Resume a paused partition when its window is
        less than half full.

        If a partition were resumed as soon as its window has room for one record, a slow key would fill the window
        again at once, and block the other partitions each time.
        """
        now, full, half_full = self.clock(), self._full(partitions), {*self._full(partitions, 0.5)}
        for partition in partitions:
            if partition not in half_full:
                partition.full_since = None
            elif partition.full_since is None and partition in full:
                partition.full_since = now
        if long := [one for one in full if not one.paused and now - (one.full_since or 0.0) >= _PAUSE_AFTER]:
            client.pause([partition.name for partition in long])
        if roomy := [one for one in partitions if one.paused and one.full_since is None]:
            client.resume([partition.name for partition in roomy])
        for partition in (*long, *roomy):
            partition.paused = partition in long
        self._tell([one for one in partitions if one.paused], now)

    def _tell(self, paused: list[PartitionProgress], now: float) -> None:
        """
        Emit WindowFull if the position of a paused partition has not moved for a long time. Also note in ``health`` for
        which record the partition waits, or that it waits for its commit. A partition whose position moves is not
        noted, because it is only slow.
        """
        for partition in paused:
            position, since = partition.stood_at
            if position != partition.position:
                partition.stood_at, partition.waits_for = (partition.position, now), ""
            elif not partition.waits_for and now - since >= _PAUSE_AFTER:
                first = partition.advance()
                partition.waits_for = first.coordinates if first else "its commit"
                emit(
                    WindowFull(
                        group=self.group,
                        topic=partition.topic,
                        partition=partition.number,
                        records=partition.held,
                        size=partition.size,
                        waits_for=partition.waits_for,
                    )
                )
        reasons = (f"{one.topic}[{one.number}] waits for {one.waits_for}" for one in paused if one.waits_for)
        self.health.replace(Obstacle.WINDOW, reasons)

    def _full(self, partitions: Partitions, part: float = 1.0) -> list[PartitionProgress]:
        """Return the partitions whose window would be full if all limits were multiplied by ``part``."""
        records, common = self.records * part, self.size * part / 2
        share = common / max(1, len(partitions))
        is_common_used_up = sum(max(0, one.size - share) for one in partitions) >= common
        return [one for one in partitions if one.held >= records or (is_common_used_up and one.size >= share)]
