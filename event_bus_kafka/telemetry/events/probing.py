"""Probes of the bus."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class ProbeEnded(LifecycleEvent):
    """A synthetic event has gone through the bus, or not."""

    topic: str
    legs: tuple[tuple[str, float], ...]
    """Name and seconds of each leg that was begun."""
    failed: str
    """The first leg that failed or was too slow; empty: none."""
    reason: str
    """Why."""
