"""Limits dead letters in a row: storing them without end is no answer to records that fail one after the other."""

from __future__ import annotations

import threading
from math import inf

from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import FloodHeld


class DeadLetterLimit:
    """
    Admits up to ``limit`` dead letters in a row per partition, then none until a record has succeeded there.

    Counts outlive assignments: a partition that leaves and comes back, as at each deploy of other workers, would
    otherwise admit ``limit`` more each time. Called on several lanes at once.
    """

    def __init__(self, limit: float = inf) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._in_a_row: dict[Partition, int] = {}

    def admits(self, partition: PartitionProgress) -> bool:
        """Count a dead letter that is about to be stored; False: hold it."""
        with self._lock:
            count = self._in_a_row.get(partition.name, 0)
            if count < self._limit:
                self._in_a_row[partition.name] = count + 1
                return True
            is_news, partition.flooded = not partition.flooded, True
        if is_news:
            emit(FloodHeld(topic=partition.topic, partition=partition.number, dead_letters=count))
        return False

    def take_back(self, partition: PartitionProgress) -> None:
        """Uncount a dead letter that could not be stored."""
        with self._lock:
            self._in_a_row[partition.name] = max(0, self._in_a_row.get(partition.name, 0) - 1)

    def passed(self, partition: PartitionProgress) -> None:
        """Note that a record has succeeded."""
        if partition.flooded or (self._in_a_row and partition.name in self._in_a_row):
            with self._lock:
                self._in_a_row.pop(partition.name, None)
                partition.flooded = False
