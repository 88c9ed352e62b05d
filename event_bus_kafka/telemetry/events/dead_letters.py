"""Dead letters: stored, limited, replayed and purged."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class DeadLetterStored(LifecycleEvent):
    """A record was given up and stored, so that its offset may move."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty where the headers do not tell, as is the id."""
    event_id: str
    error: Exception
    attempts: int


@attrs.frozen(kw_only=True)
class FloodHeld(LifecycleEvent):
    """So many dead letters in a row came from one partition that no more of them are stored."""

    topic: str
    partition: int
    dead_letters: int


@attrs.frozen(kw_only=True)
class ReplayFailed(LifecycleEvent):
    """Receivers failed at a record that was replayed, or it could not be read. Nothing is stored."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty where the headers do not tell, as is the id."""
    event_id: str
    error: Exception


@attrs.frozen(kw_only=True)
class DeadLettersPurged(LifecycleEvent):
    """Dead letters older than the retention were deleted."""

    count: int
