"""The flood guard: dead letters without end are no answer to records that fail for good one after the other."""

from __future__ import annotations

import threading
from math import inf

from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import FloodHeld


class FloodGuard:
    """
    Lets so many dead letters in a row pass per partition, then none until a record has succeeded there.

    Counted within one assignment. Called on several lanes at once.
    """

    def __init__(self, limit: float = inf) -> None:
        self._limit = limit
        self._lock = threading.Lock()

    def admits(self, partition: PartitionProgress) -> bool:
        """Count a dead letter that is about to be stored; False: hold it."""
        with self._lock:
            if partition.dead_letters < self._limit:
                partition.dead_letters += 1
                return True
            is_news, partition.flooded = not partition.flooded, True
        if is_news:
            emit(FloodHeld(topic=partition.topic, partition=partition.number, dead_letters=partition.dead_letters))
        return False

    def take_back(self, partition: PartitionProgress) -> None:
        """Do not count one that could not be stored."""
        with self._lock:
            partition.dead_letters = max(0, partition.dead_letters - 1)

    def passed(self, partition: PartitionProgress) -> None:
        """Note that a record has succeeded."""
        if partition.dead_letters:
            with self._lock:
                partition.dead_letters, partition.flooded = 0, False
