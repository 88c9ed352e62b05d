"""A consumer group's records, partitions and offsets."""

from __future__ import annotations

import attrs

from event_bus_kafka.frozen import cheap_frozen
from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@cheap_frozen
class RecordReceived(LifecycleEvent):
    """A record is about to be dispatched for the first time in this assignment."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str


@cheap_frozen
class RecordDone(LifecycleEvent):
    """Every receiver of an event has succeeded."""

    topic: str
    partition: int
    offset: int
    event_type: str


@attrs.frozen(kw_only=True)
class RecordSkipped(LifecycleEvent):
    """A record that nobody here listens to was passed over."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty for a tombstone."""
    reason: str
    """``no receiver``, ``unregistered type``, ``signal disabled``, ``tombstone`` or ``taken aside``."""


@attrs.frozen(kw_only=True)
class AttemptFailed(LifecycleEvent):
    """An attempt failed; the record waits with its key, and is tried again after ``delay`` seconds."""

    topic: str
    partition: int
    offset: int
    event_type: str
    error: Exception
    attempt: int
    """Attempts that count, this one included."""
    outcome: str
    """``retry``, or ``hold`` where no attempt is spent."""
    delay: float


@attrs.frozen(kw_only=True)
class PartitionsAssigned(LifecycleEvent):
    group: str
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen(kw_only=True)
class PartitionsRevoked(LifecycleEvent):
    """Partitions moved away; ``lost``: without a chance to commit. ``unfinished`` receivers were still running."""

    group: str
    partitions: tuple[tuple[str, int], ...]
    lost: bool
    unfinished: int


@attrs.frozen(kw_only=True)
class OffsetsCommitted(LifecycleEvent):
    group: str
    offsets: tuple[tuple[str, int, int], ...]
    """Topic, partition, and the offset of the next record to read."""


@attrs.frozen(kw_only=True)
class CommitFailed(LifecycleEvent):
    """Offsets were not committed; they are tried again as long as the partitions are ours."""

    group: str
    partitions: tuple[tuple[str, int], ...]
    lost: bool
    """The partitions belong to another member by now: what was done since the last commit comes again there."""
    error: Exception


@attrs.frozen(kw_only=True)
class EmittedEventsLost(LifecycleEvent):
    """
    What receivers emitted before a worker stopped is neither in Kafka nor in the outbox. The last offsets are not
    committed: the records come again, and with them these events.
    """

    group: str
    count: int
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen(kw_only=True)
class OffsetsMoved(LifecycleEvent):
    """Partitions begin where a time says, as the worker was told; they do so once."""

    group: str
    time: str
    offsets: tuple[tuple[str, int, int], ...]
    """Topic, partition, and the offset of the next record to read."""


@attrs.frozen(kw_only=True)
class OffsetsLost(LifecycleEvent):
    """
    The offset that the group was to read next is not there: before ``start``, records were deleted unread; beyond it,
    the topic was made anew, or Kafka lost its end.
    """

    group: str
    topic: str
    partition: int
    offset: int
    start: int
    """The first offset that the partition has, and ``end`` the one behind its last."""
    end: int
    to: int
    """Where the group goes on."""
