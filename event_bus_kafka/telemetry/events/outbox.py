"""Lifecycle events about the outbox and its relays."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class EventAppended(LifecycleEvent):
    """An event was put into the outbox. If a transaction is open, it may still be rolled back."""

    topic: str
    event_type: str
    event_id: str


@attrs.frozen(kw_only=True)
class AppendToOutboxFailed(LifecycleEvent):
    """An event could not be put into the outbox. If ``doomed`` is False, it is sent directly to Kafka instead."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    doomed: bool
    """
    Whether the surrounding transaction can only be rolled back, so that the event must not be sent. If not, the event
    is sent after the commit, or at once if no transaction is open.
    """


@attrs.frozen(kw_only=True)
class OutboxAmbiguous(LifecycleEvent):
    """
    Transactions are open in several databases, and the outbox of each database could store an event. The event is in
    the outbox of the first of these databases.
    """

    databases: tuple[str, ...]
    """Aliases of the databases whose outbox could store the event, in the order of DATABASES."""


@attrs.frozen(kw_only=True)
class OutboxStalled(LifecycleEvent):
    """The oldest row of an outbox is older than five minutes. Either no relay runs, or the relay cannot keep up."""

    database: str
    oldest: float
    """Age of the oldest row, in seconds."""


@attrs.frozen(kw_only=True)
class RowParked(LifecycleEvent):
    """A row was parked, because Kafka refused it for good, or because no record can be made of it."""

    row: int
    topic: str
    event_type: str
    """
    The event type from the row's schema, or else from the row's headers; empty if no event type can be read there.
    ``event_id`` comes from the headers only, and may be empty, too.
    """
    event_id: str
    error: Exception
    code: str


@attrs.frozen(kw_only=True)
class TopicHeld(LifecycleEvent):
    """
    A topic does not accept records at present, or the database refuses to remove a row of the topic. The topic's rows
    wait; the relay tries again after ``delay`` seconds.
    """

    topic: str
    error: Exception
    delay: float


@attrs.frozen(kw_only=True)
class TopicResumed(LifecycleEvent):
    """A topic is no longer held; a relay sends its rows as usual again."""

    topic: str


@attrs.frozen(kw_only=True)
class RelayInterrupted(LifecycleEvent):
    """A relay could not send, or could not use its database. The relay starts again after ``delay`` seconds."""

    error: Exception
    unconfirmed: int
    """Number of rows that may already be in Kafka and are sent again."""
    delay: float


@attrs.frozen(kw_only=True)
class RelayProgress(LifecycleEvent):
    """A relay reports how many rows it has sent since its last report, and the state of its outbox."""

    database: str
    sent: int
    rate: float
    """Number of rows sent per second."""
    depth: int
    oldest: float
    """Age of the oldest row, in seconds."""
    parked: tuple[tuple[str, int], ...]
    """Error codes, each with the number of rows that are parked at present because of this code."""
    held: tuple[str, ...]
    """Names of the topics that are held."""


@attrs.frozen(kw_only=True)
class ParkedRowsPurged(LifecycleEvent):
    """
    The deletion of old parked rows has ended. A row is deleted if it was parked more than EVENT_BUS_KAFKA_RETENTION
    days ago.
    """

    count: int
    """Number of deleted rows; may be 0."""
