"""Receivers: their circuits, pauses and marks in the inbox."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class CircuitOpened(LifecycleEvent):
    """A receiver fails for event after event, whatever the key: its events are held, but for probes."""

    receiver: str
    failures: int
    """In a row."""
    probe_every: float
    """Seconds."""


@attrs.frozen(kw_only=True)
class CircuitClosed(LifecycleEvent):
    """A receiver whose circuit was open has succeeded, or was paused: what was held goes on."""

    receiver: str


@attrs.frozen(kw_only=True)
class PausesChanged(LifecycleEvent):
    """These receivers and no others are paused from now on: their events become dead letters."""

    receivers: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ReceiverUnfinished(LifecycleEvent):
    """A receiver did not end within ``waited`` seconds; its event comes again."""

    record: str
    """``topic:partition:offset``"""
    receiver: str
    stack: str
    """Where it is: places in the code only."""
    waited: float


@attrs.frozen(kw_only=True)
class DuplicateSkipped(LifecycleEvent):
    """A receiver under ``once`` has had an event before: it did not run."""

    receiver: str
    event_type: str
    event_id: str


@attrs.frozen(kw_only=True)
class InboxMarksPurged(LifecycleEvent):
    """Marks of the inbox older than the retention were deleted."""

    count: int
