"""Whether a worker is alive and ready, and why not. Whoever notices trouble tells it here, and tells its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from enum import Enum
from time import monotonic

from event_bus_kafka.telemetry.bus import emit
from event_bus_kafka.telemetry.events import CONNECTED, ConnectionChanged, LifecycleEvent, ReadinessChanged


class Obstacle(Enum):
    """What keeps a worker from being ready; the value is how it is told."""

    NO_ASSIGNMENT = "no assignment yet"
    KAFKA = "Kafka"
    OUTAGE = "outage"
    CIRCUIT = "circuit open"
    FLOOD = "flood of dead letters"


class Health:
    """
    The state of one worker. Any thread may tell and ask.

    Ready means: nothing that was told to begin has still to end. Alive means: the thread that polls has told so within
    ``silent_after`` seconds. What is told twice counts once; each change is emitted as ReadinessChanged.
    """

    def __init__(self, *begun: Obstacle, silent_after: float = 60.0, clock: Callable[[], float] = monotonic) -> None:
        self._lock = threading.RLock()
        self._troubles: set[tuple[Obstacle, str]] = {(trouble, "") for trouble in begun}
        self._silent_after = silent_after
        self._clock = clock
        self._last_beat = clock()

    @property
    def is_alive(self) -> bool:
        return self._clock() - self._last_beat <= self._silent_after

    @property
    def is_ready(self) -> bool:
        return not self._troubles

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not ready."""
        with self._lock:
            return tuple(sorted(f"{trouble.value}: {of}" if of else trouble.value for trouble, of in self._troubles))

    def __call__(self, event: LifecycleEvent) -> None:
        """Follow the connection to Kafka; as an observer."""
        if isinstance(event, ConnectionChanged):
            self.replace(Obstacle.KAFKA, () if event.state == CONNECTED else (event.state,))

    def beat(self) -> None:
        """Tell that the thread that polls goes on."""
        self._last_beat = self._clock()

    def begin(self, trouble: Obstacle, of: str = "") -> None:
        """Tell trouble: of which receiver, partition or server."""
        with self._lock:
            self._change(self._troubles | {(trouble, of)})

    def end(self, trouble: Obstacle, of: str = "") -> None:
        """Tell that it is over, if it was there."""
        with self._lock:
            self._change(self._troubles - {(trouble, of)})

    def replace(self, trouble: Obstacle, of: Iterable[str]) -> None:
        """Tell who has this kind of trouble, and that nobody else has."""
        with self._lock:
            others = {(kind, name) for kind, name in self._troubles if kind is not trouble}
            self._change(others | {(trouble, name) for name in of})

    def _change(self, troubles: set[tuple[Obstacle, str]]) -> None:
        if troubles != self._troubles:
            self._troubles = troubles
            emit(ReadinessChanged(ready=self.is_ready, reasons=self.reasons))
