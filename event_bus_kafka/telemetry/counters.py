"""In-memory counts of lifecycle events in this process."""

from __future__ import annotations

import os
from threading import Lock

from event_bus_kafka.shown import label
from event_bus_kafka.telemetry.events import LifecycleEvent

OTHER_TYPES = "other types"
"""Stands for all event types beyond the first ones: strangers may invent any number."""
_MOST = 1_000


class Counters:
    """
    An observer that counts lifecycle events per kind and event type; the type is empty for kinds that have none.

    Beyond a thousand counts, further types count as one, :data:`OTHER_TYPES`.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[tuple[type[LifecycleEvent], str], int] = {}
        os.register_at_fork(after_in_child=self._replace_lock)

    def __call__(self, event: LifecycleEvent) -> None:
        self.add(type(event), getattr(event, "event_type", ""))

    def add(self, kind: type[LifecycleEvent], event_type: str, count: int = 1) -> None:
        """Add ``count`` occurrences without creating the events."""
        name = kind, event_type
        with self._lock:
            counted = self._counts.get(name)
            if counted is None:
                name = kind, label(event_type) if len(self._counts) < _MOST or not event_type else OTHER_TYPES
                counted = self._counts.get(name, 0)
            self._counts[name] = counted + count

    def count(self, kind: type[LifecycleEvent], event_type: str | None = None) -> int:
        """Return how often events of ``kind`` occurred, for one event type or, with None, for all."""
        with self._lock:
            return sum(
                count
                for (counted, counted_type), count in self._counts.items()
                if counted is kind and event_type in (None, counted_type)
            )

    def reset(self) -> None:
        """Set all counts to zero."""
        with self._lock:
            self._counts.clear()

    def _replace_lock(self) -> None:
        """Another thread of the parent may have held the lock at the fork: in the child nothing would release it."""
        self._lock = Lock()


counters = Counters()
