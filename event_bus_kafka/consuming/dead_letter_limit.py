"""Limits the number of dead letters in a row, so that a worker does not give up every record of a partition."""

from __future__ import annotations

import threading
from math import inf

from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import FloodHeld


class DeadLetterLimit:
    """
    Admits up to ``limit`` dead letters in a row per partition. After that it admits none until a record of the
    partition succeeds.

    The counts outlast an assignment, because a partition may be revoked and assigned again, for example at each deploy
    of other workers. If the counts began again at 0, the worker could store ``limit`` more dead letters each time.
    Thread-safe, because lanes call it.
    """

    def __init__(self, limit: float = inf) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._in_a_row: dict[Partition, int] = {}

    def admits(self, partition: PartitionProgress) -> bool:
        """
        Count a dead letter that is about to be stored, and return True. If the limit is reached, return False: then the
        caller must hold the record.
        """
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
        """Subtract from the partition's count a dead letter that could not be stored."""
        with self._lock:
            self._in_a_row[partition.name] = max(0, self._in_a_row.get(partition.name, 0) - 1)

    def passed(self, partition: PartitionProgress) -> None:
        """Note that a record of the partition has succeeded, so that the partition's count begins again at 0."""
        if partition.flooded or (self._in_a_row and partition.name in self._in_a_row):
            with self._lock:
                self._in_a_row.pop(partition.name, None)
                partition.flooded = False
