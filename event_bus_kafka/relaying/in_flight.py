"""What is on its way to Kafka, by topic: one that is silent must not hold up the others."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import attrs


@attrs.define(eq=False)
class _TopicInFlight:
    """Records of one topic."""

    since: float
    count: int = 0
    """Records without a report."""
    is_heard: bool = False
    """Whether there was a report of any record."""


class InFlight:
    """Records that lack a report."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._in_flight: dict[str, _TopicInFlight] = {}
        self._silent: set[str] = set()

    def __len__(self) -> int:
        return sum(flight.count for flight in self._in_flight.values())

    @property
    def awaited(self) -> int:
        """How many of them are worth waiting for: those of topics that are not silent."""
        return sum(flight.count for topic, flight in self._in_flight.items() if topic not in self._silent)

    def begin(self, topic: str) -> None:
        """A record was handed to the client."""
        flight = self._in_flight.get(topic)
        if flight is None:
            flight = self._in_flight[topic] = _TopicInFlight(self._clock())
        flight.count += 1

    def end(self, topic: str) -> None:
        """There is a report of one."""
        flight = self._in_flight[topic]
        flight.count -= 1
        flight.is_heard = True

    def newly_silent(self, patience: Callable[[str], float]) -> list[str]:
        """
        Return topics of which nothing was heard for so many seconds, while others are: Kafka works, these do not.

        Where nothing is heard at all it is Kafka that is away: no topic is to blame.
        """
        if not any(flight.is_heard for flight in self._in_flight.values()):
            return []
        now = self._clock()
        found = [
            topic
            for topic, flight in self._in_flight.items()
            if not flight.is_heard and topic not in self._silent and now - flight.since > patience(topic)
        ]
        self._silent.update(found)
        return found
