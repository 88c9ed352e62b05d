"""Events on their direct way to Kafka, and into the outbox where Kafka does not confirm them."""

from __future__ import annotations

import attrs

from event_bus_kafka.frozen import cheap_frozen
from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class EventRejected(LifecycleEvent):
    """An event cannot be sent: its data, its type or the configuration is wrong. Sending it again would not help."""

    topic: str
    event_type: str
    event_id: str
    error: Exception


@attrs.frozen(kw_only=True)
class EventSpilled(LifecycleEvent):
    """Kafka did not confirm an event. It was put into the outbox of ``database``, and a relay sends it."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    """Why Kafka did not confirm it."""
    database: str


@attrs.frozen(kw_only=True)
class EventUndelivered(LifecycleEvent):
    """Kafka did not confirm an event, and the outbox did not take it either: it is lost."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    obstacle: Exception
    """Why the outbox did not take it."""


@attrs.frozen(kw_only=True)
class SpillDelayed(LifecycleEvent):
    """
    Events that Kafka did not confirm wait in memory, because the outbox of ``database`` does not take them. The insert
    is repeated.
    """

    database: str
    error: Exception
    waiting: int
    """Number of events."""


@attrs.frozen
class ThreadsDisabled(LifecycleEvent):
    """uWSGI runs no threads between requests: delivery reports wait for the next request, or for the process to end."""


@cheap_frozen
class RecordDelivered(LifecycleEvent):
    """Kafka confirmed a record."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
