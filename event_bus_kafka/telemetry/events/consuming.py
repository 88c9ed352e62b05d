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
    is_early: bool = False
    """Whether another worker may have died of it: it is in the log before it begins."""


@attrs.frozen(kw_only=True)
class RecordRetried(LifecycleEvent):
    """A record is about to be dispatched again, to the receivers that have not succeeded yet."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str


@cheap_frozen
class RecordDone(LifecycleEvent):
    """All receivers of an event have succeeded."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str


@attrs.frozen(kw_only=True)
class RecordSkipped(LifecycleEvent):
    """A record was skipped: no receiver in this service is to get it."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty unless ``reason`` is about the event type."""
    reason: str
    """
    About the event type: ``no receiver``, ``other receivers``, ``unregistered type`` or ``signal disabled``; about the
    record: ``tombstone`` or ``taken aside``.
    """


@attrs.frozen(kw_only=True)
class AttemptFailed(LifecycleEvent):
    """An attempt failed. The record and later ones of its key wait; it is tried again after ``delay`` seconds."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
    """Empty if it is not known, for example because the record cannot be read."""
    error: Exception
    attempt: int
    """Number of attempts, this one included; an attempt that ended in ``hold`` does not count."""
    outcome: str
    """``retry`` or ``hold``."""
    delay: float


@attrs.frozen(kw_only=True)
class PartitionsAssigned(LifecycleEvent):
    group: str
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen(kw_only=True)
class PartitionsRevoked(LifecycleEvent):
    """Partitions are no longer assigned to this worker; ``unfinished`` receivers were still running for them."""

    group: str
    partitions: tuple[tuple[str, int], ...]
    lost: bool
    """Whether the worker had no chance to commit before."""
    unfinished: int


@attrs.frozen(kw_only=True)
class OffsetsCommitted(LifecycleEvent):
    group: str
    offsets: tuple[tuple[str, int, int], ...]
    """Topic, partition, and the offset of the next record to read."""


@attrs.frozen(kw_only=True)
class CommitFailed(LifecycleEvent):
    """Offsets were not committed. The commit is repeated as long as the partitions are assigned to this worker."""

    group: str
    partitions: tuple[tuple[str, int], ...]
    lost: bool
    """Whether another member has the partitions by now: it gets the records since the last commit again."""
    error: Exception


@attrs.frozen(kw_only=True)
class EmittedEventsLost(LifecycleEvent):
    """
    Events that a worker's receivers emitted are neither in Kafka nor in the outbox. The worker ends. The last offsets
    are not committed: their records come again, and the receivers emit these events again.
    """

    group: str
    count: int
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen(kw_only=True)
class OffsetsMoved(LifecycleEvent):
    """Partitions start at the offsets of ``time``, which the worker was given; they do so once."""

    group: str
    time: str
    offsets: tuple[tuple[str, int, int], ...]
    """Topic, partition, and the offset of the next record to read."""


@attrs.frozen(kw_only=True)
class OffsetsLost(LifecycleEvent):
    """
    The partition does not have the offset that the group was to read next. If ``offset`` is below ``start``, records
    were deleted unread; otherwise the topic was recreated, or Kafka lost its last records.
    """

    group: str
    topic: str
    partition: int
    offset: int
    start: int
    """The first offset that the partition has."""
    end: int
    """The offset after the partition's last record."""
    to: int
    """The offset from which the group goes on."""


@attrs.frozen(kw_only=True)
class WindowFull(LifecycleEvent):
    """A partition is not read for now, since its window has been full for seconds; an obstacle until there is room."""

    group: str
    topic: str
    partition: int
    records: int
    """Read and not committed."""
    size: int
    """Bytes of the records that are not done."""
    waits_for: str
    """Coordinates of the first record that is not done; ``its commit`` if there is none."""
