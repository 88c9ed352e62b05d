"""The outbox and its relays."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class EventAppended(LifecycleEvent):
    """An event was put into the outbox; whether it stays there the transaction decides."""

    topic: str
    event_type: str
    event_id: str


@attrs.frozen(kw_only=True)
class AppendToOutboxFailed(LifecycleEvent):
    """An event could not be put into the outbox: its transaction fails with it, or else it goes on commit."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    doomed: bool
    """Whether the transaction fails."""


@attrs.frozen(kw_only=True)
class OutboxStalled(LifecycleEvent):
    """The oldest row of an outbox is older than five minutes: no relay runs, or it cannot send."""

    database: str
    oldest: float
    """Seconds."""


@attrs.frozen(kw_only=True)
class RowParked(LifecycleEvent):
    """Kafka refuses a row for good: it was set aside."""

    row: int
    topic: str
    event_type: str
    event_id: str
    error: Exception
    code: str


@attrs.frozen(kw_only=True)
class TopicHeld(LifecycleEvent):
    """A topic takes no records at present: its rows wait, and are tried again after ``delay`` seconds."""

    topic: str
    error: Exception
    delay: float


@attrs.frozen(kw_only=True)
class TopicResumed(LifecycleEvent):
    """A topic that was held takes records again."""

    topic: str


@attrs.frozen(kw_only=True)
class RelayInterrupted(LifecycleEvent):
    """A relay could not send or could not use its database: it begins anew after ``delay`` seconds."""

    error: Exception
    unconfirmed: int
    """Rows that stay although they may have arrived."""
    delay: float


@attrs.frozen(kw_only=True)
class RelayProgress(LifecycleEvent):
    """What a relay has sent since it told the last time, and what waits."""

    database: str
    sent: int
    rate: float
    """Rows per second."""
    depth: int
    oldest: float
    """Age of the oldest row, in seconds."""
    parked: tuple[tuple[str, int], ...]
    """Codes, and how many rows were set aside for each."""
    held: tuple[str, ...]
    """Topics."""


@attrs.frozen(kw_only=True)
class ParkedRowsPurged(LifecycleEvent):
    """Parked rows older than the retention were deleted."""

    count: int
