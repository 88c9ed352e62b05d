"""Counts the records that lack a delivery report, by topic: a silent topic must not hold up the others."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import attrs


@attrs.define(eq=False)
class _TopicRecords:
    """The records of one topic since the batch began."""

    since: float
    """When the first was handed to the client, by the monotonic clock."""
    unreported: int = 0
    is_heard: bool = False
    """Whether any of them was reported."""


class InFlight:
    """The records that were handed to the client and lack a delivery report. ``len`` counts them."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._by_topic: dict[str, _TopicRecords] = {}
        self._silent: set[str] = set()

    def __len__(self) -> int:
        return sum(records.unreported for records in self._by_topic.values())

    @property
    def awaited(self) -> int:
        """The records that are worth waiting for: those of topics that are not silent."""
        return sum(records.unreported for topic, records in self._by_topic.items() if topic not in self._silent)

    def begin(self, topic: str) -> None:
        """Count a record that was handed to the client."""
        records = self._by_topic.get(topic)
        if records is None:
            records = self._by_topic[topic] = _TopicRecords(self._clock())
        records.unreported += 1

    def end(self, topic: str) -> None:
        """Count the report of one record."""
        records = self._by_topic[topic]
        records.unreported -= 1
        records.is_heard = True

    def newly_silent(self, patience: Callable[[str], float]) -> list[str]:
        """
        Return topics without a report for ``patience(topic)`` seconds while others have some. Each is returned once.

        Without any report at all Kafka itself is away: no topic is to blame, and none is returned.
        """
        if not any(records.is_heard for records in self._by_topic.values()):
            return []
        now = self._clock()
        found = [
            topic
            for topic, records in self._by_topic.items()
            if not records.is_heard and topic not in self._silent and now - records.since > patience(topic)
        ]
        self._silent.update(found)
        return found
