"""Records failures on spans through which no exception passes."""

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
"""The kinds of lifecycle events that :func:`note_failure` takes."""


def note_failure(event: LifecycleEvent) -> None:
    """Record the failure on the span of the event that is sent or processed, if there is one."""
    if isinstance(event, FAILURES):
        innermost.get().fail(event.error)
