"""Events on their direct way to Kafka, and into the outbox where Kafka does not confirm them."""

from __future__ import annotations

import attrs

from event_bus_kafka.frozen import cheap_frozen
from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class EventRejected(LifecycleEvent):
    """An event cannot be sent: its data, its type or the configuration is wrong. No repetition would help."""

    topic: str
    event_type: str
    event_id: str
    error: Exception


@attrs.frozen(kw_only=True)
class EventSpilled(LifecycleEvent):
    """An event was not confirmed by Kafka and was put into the outbox of a database: a relay sends it."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    """Why Kafka has not confirmed it."""
    database: str


@attrs.frozen(kw_only=True)
class EventUndelivered(LifecycleEvent):
    """An event was not confirmed by Kafka, and could not be put into the outbox either: it is lost."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    obstacle: Exception
    """Why the outbox has not taken it."""


@attrs.frozen(kw_only=True)
class SpillDelayed(LifecycleEvent):
    """A database does not take what Kafka did not confirm: it waits in memory, and is tried again."""

    database: str
    error: Exception
    waiting: int
    """Events."""


@attrs.frozen
class ThreadsDisabled(LifecycleEvent):
    """uWSGI lets no thread run between requests: delivery reports wait for the next one, or for the process to end."""


@cheap_frozen
class RecordDelivered(LifecycleEvent):
    """Kafka confirmed a record."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
