"""The logging observer: one line per lifecycle event worth one, with coordinates and without event data."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from event_bus_kafka.telemetry.events import LifecycleEvent, RecordDelivered
from event_bus_kafka.telemetry.logs import clients, consuming, dead_letters, faults, outbox, receivers, sending, worker
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

_LINES = (
    sending.lines
    | outbox.lines
    | consuming.lines
    | receivers.lines
    | dead_letters.lines
    | worker.lines
    | clients.lines
    | faults.lines
)


class LoggingObserver:
    """Logs under ``event_bus_kafka``. ``audit`` tells whether each sent and each processed event gets a line."""

    def __init__(self, audit: Callable[[], bool], clock: Callable[[], float] = monotonic) -> None:
        self._filter = LogFilter(audit, clock)

    def __call__(self, event: LifecycleEvent) -> None:
        """Log the event by its exact kind: a dictionary's look-up, since some come thousands of times a second."""
        line = _LINES.get(type(event))
        if line is None:
            raise TypeError(f"no log line for {type(event).__name__}")
        line(event, self._filter)

    def wants(self, kind: type[LifecycleEvent]) -> bool:
        """Return whether events of ``kind`` may get a line."""
        return kind is not RecordDelivered or self._filter.audit()
