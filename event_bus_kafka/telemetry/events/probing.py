"""Lifecycle events about probes of the bus."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class ProbeEnded(LifecycleEvent):
    """
    A probe has ended. A probe sends a synthetic event, and measures each leg (part) of the event's way through the
    event bus.
    """

    topic: str
    legs: tuple[tuple[str, float], ...]
    """Name and duration in seconds of each leg that began. After a leg that fails, no further leg begins."""
    failed: str
    """The first leg that failed or was too slow; empty if all legs succeeded."""
    reason: str
    """The reason of the failure; empty if all legs succeeded."""
