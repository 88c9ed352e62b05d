"""The observer that logs lifecycle events, with coordinates and without event data."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from time import monotonic

from event_bus_kafka.telemetry.events import LifecycleEvent, RecordReceived
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
from event_bus_kafka.telemetry.logs.audit import AUDITED, AuditLines, logger
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
    Logs lifecycle events with the logger ``event_bus_kafka``. ``audit``: returns whether to log each record that is
    delivered, received or done. ``batched``: returns whether such records share lines until the next :meth:`flush`.
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
        """
        Whether events share lines. None after :meth:`flush`: ``batched`` is called at the next event.
        """
        self._audit_lines = AuditLines(self._log)
        os.register_at_fork(after_in_child=self._audit_lines.forget)

    def __call__(self, event: LifecycleEvent) -> None:
        """
        Log the event, or collect it for a shared line. Before an event that is not collected, log the collected
        records, so that lines are in the right order.
        """
        gathers = self._gathers
        if gathers is None:
            gathers = self._gathers = self._batched()
        if gathers and isinstance(event, AUDITED):
            if type(event) is RecordReceived and event.is_early:
                self._log(event)  # at once, in a line of its own: its receivers may crash the process
            else:
                self._audit_lines.add(event)
            return
        try:
            self.flush()
        finally:
            self._log(event)

    def flush(self) -> None:
        """Log the records that were collected for shared lines."""
        self._gathers = None
        self._audit_lines.write()

    def _log(self, event: LifecycleEvent) -> None:
        """
        Log the event with the function for its exact type. A single dictionary look-up finds this function, since some
        kinds of events occur thousands of times a second.
        """
        line = _LINES.get(type(event))
        if line is None:
            raise TypeError(f"no log line for {type(event).__name__}")
        line(event, self._filter)

    def wants(self, kind: type[LifecycleEvent]) -> bool:
        """Return whether events of ``kind`` may be logged."""
        return kind not in AUDITED or (logger.isEnabledFor(logging.INFO) and self._filter.audit())
