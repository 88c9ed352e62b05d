"""Dead letters: stored, limited, replayed and purged."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class DeadLetterStored(LifecycleEvent):
    """A record was given up and stored as a dead letter: its offset may be committed."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty, like ``event_id``, if the headers do not have it."""
    event_id: str
    error: Exception
    attempts: int


@attrs.frozen(kw_only=True)
class DeadLetterReduced(LifecycleEvent):
    """A store refuses a dead letter, which is stored without parts of its record. A replay reads them from Kafka."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty, like ``event_id``, if the headers do not have it."""
    event_id: str
    left_out: tuple[tuple[str, int], ...]
    """Parts of the record, each with its bytes."""
    reason: str


@attrs.frozen(kw_only=True)
class FloodHeld(LifecycleEvent):
    """
    A partition has reached the limit of dead letters in a row: no more are stored, records that fail for good are held.
    """

    topic: str
    partition: int
    dead_letters: int


@attrs.frozen(kw_only=True)
class ReplayFailed(LifecycleEvent):
    """A replayed record could not be read, or receivers failed for it. Nothing is stored."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty, like ``event_id``, if the headers do not have it."""
    event_id: str
    error: Exception


@attrs.frozen(kw_only=True)
class DeadLettersPurged(LifecycleEvent):
    """Dead letters older than the retention were deleted."""

    count: int


@attrs.frozen(kw_only=True)
class DeadLetterEntriesPurged(LifecycleEvent):
    """Entries of dead letters, by receiver, were deleted because they were older than the history is kept."""

    count: int


@attrs.frozen(kw_only=True)
class ReplayRequestChanged(LifecycleEvent):
    """This worker has taken a replay request, or goes on with it no longer."""

    request: int
    group: str
    state: str
    """``running``, ``requested`` where it is handed back, ``held``, or how it has ended, here or elsewhere."""
    note: str
    """Why, if that is not plain."""
    letters: int
    """Dead letters, records or batches of items that had their turn here so far."""
