"""
Tells whether a worker is alive and ready, and why it is not ready. Code that detects an obstacle reports the obstacle's
start and end here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from enum import Enum
from time import monotonic

from event_bus_kafka.telemetry.bus import emit
from event_bus_kafka.telemetry.events import CONNECTED, ConnectionChanged, LifecycleEvent, ReadinessChanged


class Obstacle(Enum):
    """A kind of reason why a worker is not ready. The value is the text for users."""

    NO_ASSIGNMENT = "no assignment yet"
    START = "not started"
    KAFKA = "Kafka"
    REFUSED = "reading is refused"
    OUTAGE = "outage"
    CIRCUIT = "circuit open"
    FLOOD = "flood of dead letters"
    WINDOW = "window full"
    SLOW = "slow receiver"


class Health:
    """
    The state of one worker. All methods may be called from any thread.

    A worker is ready if it has no obstacle. It is alive if :meth:`beat` was called within the last ``silent_after``
    seconds. ``begun``: obstacles that exist from the start. An obstacle that begins twice ends with the first
    :meth:`end`. Each change of the obstacles emits ReadinessChanged.
    """

    def __init__(self, *begun: Obstacle, silent_after: float = 60.0, clock: Callable[[], float] = monotonic) -> None:
        self._lock = threading.RLock()
        self._obstacles: set[tuple[Obstacle, str]] = {(obstacle, "") for obstacle in begun}
        self._silent_after = silent_after
        self._clock = clock
        self._last_beat = clock()

    @property
    def is_alive(self) -> bool:
        return self._clock() - self._last_beat <= self._silent_after

    @property
    def is_ready(self) -> bool:
        return not self._obstacles

    @property
    def reasons(self) -> tuple[str, ...]:
        """The texts of the obstacles, sorted."""
        obstacles = self._obstacles  # the set is never changed in place, so reading it needs no lock
        return tuple(sorted(f"{kind.value}: {source}" if source else kind.value for kind, source in obstacles))

    def __call__(self, event: LifecycleEvent) -> None:
        """
        Begin or end the obstacle for the connection to Kafka if ``event`` is a ConnectionChanged. This object is an
        observer of these events.
        """
        if isinstance(event, ConnectionChanged):
            self.replace(Obstacle.KAFKA, () if event.state == CONNECTED else (event.state,))

    def beat(self) -> None:
        """Note that the polling thread is alive now."""
        self._last_beat = self._clock()

    def begin(self, obstacle: Obstacle, source: str = "") -> None:
        """Add an obstacle. ``source`` names the receiver, partition or server."""
        with self._lock:
            self._change(self._obstacles | {(obstacle, source)})

    def end(self, obstacle: Obstacle, source: str = "") -> None:
        """Remove an obstacle. Does nothing if the obstacle was not added."""
        with self._lock:
            self._change(self._obstacles - {(obstacle, source)})

    def replace(self, obstacle: Obstacle, sources: Iterable[str]) -> None:
        """Replace all obstacles of the kind ``obstacle`` by one obstacle for each of ``sources``."""
        with self._lock:
            others = {(kind, source) for kind, source in self._obstacles if kind is not obstacle}
            self._change(others | {(obstacle, source) for source in sources})

    def _change(self, obstacles: set[tuple[Obstacle, str]]) -> None:
        if obstacles != self._obstacles:
            self._obstacles = obstacles
            emit(ReadinessChanged(ready=self.is_ready, reasons=self.reasons))
