"""Adds the observers that write lifecycle events into logs and traces, and report failures to monitoring."""

from __future__ import annotations

import atexit

from event_bus_kafka.conf.settings import settings
from event_bus_kafka.telemetry import flush_observers, observe
from event_bus_kafka.telemetry.logs import LoggingObserver
from event_bus_kafka.telemetry.monitoring import MONITORED, monitor
from event_bus_kafka.telemetry.tracing import FAILURES, note_failure

_log = LoggingObserver(audit=lambda: settings.audit_logging_enabled, batched=lambda: settings.audit_logging_batched)
atexit.register(flush_observers)


def observe_events() -> None:
    """Add the observers of logs, monitoring and traces. A second call changes nothing."""
    observe(_log)
    observe(monitor, *MONITORED)
    observe(note_failure, *FAILURES)
