"""Leaves topics alone that take no records at present, longer each time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import TopicHeld, TopicResumed

_FIRST, _FACTOR, _LONGEST = 1.0, 2.0, 30.0
"""Backoff of a topic: seconds until the first try, their growth with each refusal, and the longest."""
_FIRST_OF_SILENT = 5.0
"""Seconds until the first try of a silent topic. Longer, since each try of it keeps the other topics waiting."""
_PATIENCE, _MORE_PATIENCE = 2.0, 0.1
"""A topic may be silent for 2 s plus a tenth of its last backoff before it is held: slow is not dead."""


class TopicBackoff:
    """Which topics are left alone, and until when. One that is due is tried; its first success ends the hold."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._held: dict[str, tuple[float, float]] = {}  # topic → when it is due, and the delay that led there

    def hold(self, topic: str, error: Exception, *, silent: bool = False) -> None:
        """Leave a topic alone, longer each time."""
        due, last = self._held.get(topic, (0.0, 0.0))
        if self._clock() < due:
            return  # another row of it has said so
        delay = min(last * _FACTOR, _LONGEST) if last else _FIRST_OF_SILENT if silent else _FIRST
        self._held[topic] = self._clock() + delay, delay
        emit(TopicHeld(topic=topic, error=error, delay=delay))

    def release(self, topic: str) -> None:
        """A record was taken."""
        if topic in self._held and self._clock() >= self._held[topic][0]:
            del self._held[topic]
            emit(TopicResumed(topic=topic))

    def patience(self, topic: str) -> float:
        """Return the seconds for which a topic may be silent while others are not."""
        return _PATIENCE + _MORE_PATIENCE * self._held.get(topic, (0.0, 0.0))[1]

    def now(self) -> list[str]:
        """Return the topics to leave alone now."""
        return sorted(topic for topic, (due, _) in self._held.items() if self._clock() < due)

    def topics(self) -> tuple[str, ...]:
        """Return all that are held, due or not."""
        return tuple(sorted(self._held))
