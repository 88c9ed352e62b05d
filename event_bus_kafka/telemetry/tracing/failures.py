"""Records failures on spans whose blocks end without an exception."""

from __future__ import annotations

from event_bus_kafka.telemetry.events import (
    AppendToOutboxFailed,
    AttemptFailed,
    DeadLetterStored,
    LifecycleEvent,
    ReplayFailed,
)
from event_bus_kafka.telemetry.tracing.spans import innermost

FAILURES = (AppendToOutboxFailed, AttemptFailed, DeadLetterStored, ReplayFailed)
"""The kinds of lifecycle events that :func:`note_failure` handles."""


def note_failure(event: LifecycleEvent) -> None:
    """Record the failure on this package's innermost open span. Does nothing if there is no open span."""
    if isinstance(event, FAILURES):
        innermost.get().fail(event.error)
