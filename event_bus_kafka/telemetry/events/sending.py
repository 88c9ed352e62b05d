"""Lifecycle events about events that are sent directly to Kafka, or spilled to the outbox."""

from __future__ import annotations

import attrs

from event_bus_kafka.frozen import cheap_frozen
from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class EventRejected(LifecycleEvent):
    """
    An event cannot be sent, because its data, its type or the configuration is wrong. Another attempt would fail, too.
    """

    topic: str
    event_type: str
    event_id: str
    error: Exception


@attrs.frozen(kw_only=True)
class EventSpilled(LifecycleEvent):
    """An event that Kafka did not confirm was put into the outbox of ``database``. A relay sends the event."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    """The reason why Kafka did not confirm the event."""
    database: str


@attrs.frozen(kw_only=True)
class EventUndelivered(LifecycleEvent):
    """An event is lost: it is neither confirmed by Kafka nor stored in an outbox."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    """The reason why Kafka did not confirm the event; equal to ``obstacle`` if it was meant for the outbox."""
    obstacle: Exception
    """The reason why the outbox did not store the event."""


@attrs.frozen(kw_only=True)
class SpillDelayed(LifecycleEvent):
    """
    Events wait in memory, because they cannot be inserted into the outbox of ``database`` at present. The insert is
    repeated.
    """

    database: str
    error: Exception
    waiting: int
    """Number of events that wait in memory."""


@attrs.frozen
class ThreadsDisabled(LifecycleEvent):
    """
    uWSGI runs no threads between requests, so delivery reports are processed only during the next request or at the
    process's end.
    """


@cheap_frozen
class RecordDelivered(LifecycleEvent):
    """Kafka confirmed a record."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
