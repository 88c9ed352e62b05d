"""Lifecycle events for storing, limiting, replaying and deleting dead letters."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class DeadLetterStored(LifecycleEvent):
    """A record failed for good and was stored as a dead letter, so its offset may be committed."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """The event type; empty if the record's headers do not contain it. The same is true of ``event_id``."""
    event_id: str
    error: Exception
    attempts: int


@attrs.frozen(kw_only=True)
class DeadLetterReduced(LifecycleEvent):
    """
    The store refused a dead letter because of its size or content, and accepted it without some of its parts. A replay
    reads omitted parts of the record from Kafka.
    """

    topic: str
    partition: int
    offset: int
    event_type: str
    """The event type; empty if the record's headers do not contain it. The same is true of ``event_id``."""
    event_id: str
    left_out: tuple[tuple[str, int], ...]
    """Names of the omitted parts, each with the part's number of bytes."""
    reason: str


@attrs.frozen(kw_only=True)
class FloodHeld(LifecycleEvent):
    """
    A record has failed for good after its partition had reached the limit of dead letters in a row. This record, and
    later ones of the partition that fail for good, are held instead of stored as dead letters.
    """

    topic: str
    partition: int
    dead_letters: int


@attrs.frozen(kw_only=True)
class ReplayFailed(LifecycleEvent):
    """A replayed record could not be read, or receivers failed. No new dead letter is stored."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """The event type; empty if the record's headers do not contain it. The same is true of ``event_id``."""
    event_id: str
    error: Exception


@attrs.frozen(kw_only=True)
class DeadLettersPurged(LifecycleEvent):
    """
    The deletion of old dead letters has ended. A dead letter is deleted if its last failure was more than
    EVENT_BUS_KAFKA_RETENTION days ago.
    """

    count: int
    """Number of deleted dead letters; may be 0."""


@attrs.frozen(kw_only=True)
class DeadLetterEntriesPurged(LifecycleEvent):
    """
    The deletion of old entries has ended. A dead letter has one entry for each receiver. An entry is deleted if its
    letter is deleted and it has not changed for EVENT_BUS_KAFKA_HISTORY days.
    """

    count: int
    """Number of deleted entries; may be 0."""


@attrs.frozen(kw_only=True)
class ReplayRequestChanged(LifecycleEvent):
    """This worker has taken a replay request, interrupts it for a while, or has stopped working on it."""

    request: int
    group: str
    state: str
    """
    ``running`` with an empty ``note``: this worker has taken the request. ``held``: this worker continues the request
    later. Otherwise this worker has stopped working on the request, and the value is the request's state in the table,
    or ``gone`` if the row is deleted. If another worker has taken the request, the value is ``running``, with a
    ``note``.
    """
    note: str
    """The reason for ``state``, or a remark; empty if there is none."""
    letters: int
    """
    Number of dead letters, records or batches of items that this worker has processed since it took the request, or
    since the last hold.
    """
