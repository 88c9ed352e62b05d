"""The logging observer: one line per lifecycle event worth one, with coordinates and without event data."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic

from event_bus_kafka.telemetry.events import LifecycleEvent, RecordDelivered, RecordReceived
from event_bus_kafka.telemetry.logs import (
    clients,
    consuming,
    dead_letters,
    faults,
    outbox,
    probing,
    receivers,
    sending,
    worker,
)
from event_bus_kafka.telemetry.logs.audit import AUDITED, AuditLines
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
    | probing.lines
)


class LoggingObserver:
    """
    Logs under ``event_bus_kafka``. ``audit`` returns whether each sent and each processed event is logged, ``batched``
    whether events between two calls of :meth:`flush` share a line.
    """

    def __init__(
        self,
        audit: Callable[[], bool],
        clock: Callable[[], float] = monotonic,
        *,
        batched: Callable[[], bool] = lambda: False,
    ) -> None:
        self._filter = LogFilter(audit, clock)
        self._batched = batched
        self._gathers: bool | None = None
        """Whether lines are shared; None: the settings are to be asked, as at each look."""
        self._audit_lines = AuditLines(self._log)
        os.register_at_fork(after_in_child=self._audit_lines.forget)

    def __call__(self, event: LifecycleEvent) -> None:
        """
        Log the event. Records that still wait to share a line are logged before it, if its own line might contradict
        theirs.
        """
        gathers = self._gathers
        if gathers is None:
            gathers = self._gathers = self._batched() and self._filter.audit()
        if gathers and isinstance(event, AUDITED):
            if type(event) is RecordReceived and event.is_early:
                self._log(event)  # what waits is of records that were received before
            else:
                self._audit_lines.add(event)
            return
        try:
            self.flush()
        finally:
            self._log(event)

    def flush(self) -> None:
        """Log the records that wait to share a line."""
        self._gathers = None
        self._audit_lines.write()

    def _log(self, event: LifecycleEvent) -> None:
        """Log the event by its exact kind: a dictionary's look-up, since some come thousands of times a second."""
        line = _LINES.get(type(event))
        if line is None:
            raise TypeError(f"no log line for {type(event).__name__}")
        line(event, self._filter)

    def wants(self, kind: type[LifecycleEvent]) -> bool:
        """Return whether events of ``kind`` may get a line."""
        return kind is not RecordDelivered or self._filter.audit()
