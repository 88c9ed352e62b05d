"""Lifecycle events about a consumer group's records, partitions and offsets."""

from __future__ import annotations

import attrs

from event_bus_kafka.frozen import cheap_frozen
from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@cheap_frozen
class RecordReceived(LifecycleEvent):
    """
    A record is about to be dispatched for the first time: since its partition was assigned to this worker, or in a
    replay.
    """

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
    is_early: bool = False
    """
    Whether the record's log line is written before its receivers run. True if the record is replayed, or may have
    crashed a worker before.
    """


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
    """A record was skipped, because no receiver of this service should receive it."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """The event type; empty unless ``reason`` is about the event type."""
    reason: str
    """
    The reason why the record was skipped. ``no receiver``, ``other receivers``, ``unregistered type`` and ``signal
    disabled`` are about the event type; ``tombstone`` and ``quarantined`` (in quarantine) are about the record.
    """


@attrs.frozen(kw_only=True)
class AttemptFailed(LifecycleEvent):
    """
    An attempt to process a record failed, and another attempt follows after ``delay`` seconds. Until the record is done
    or a dead letter, later records of its key wait. Not emitted for an attempt after which the record is given up.
    """

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
    """The event's id; empty if unknown, for example because the record cannot be read."""
    error: Exception
    attempt: int
    """Number of failed attempts so far. Attempts that failed only because of outages or open circuits do not count."""
    outcome: str
    """``retry`` or ``hold``."""
    delay: float


@attrs.frozen(kw_only=True)
class PartitionsAssigned(LifecycleEvent):
    group: str
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen(kw_only=True)
class PartitionsRevoked(LifecycleEvent):
    """
    Partitions are no longer assigned to this worker. ``unfinished``: number of receivers that still run for records of
    these partitions.
    """

    group: str
    partitions: tuple[tuple[str, int], ...]
    lost: bool
    """Whether the partitions were lost before the worker could commit their offsets."""
    unfinished: int


@attrs.frozen(kw_only=True)
class OffsetsCommitted(LifecycleEvent):
    group: str
    offsets: tuple[tuple[str, int, int], ...]
    """Topic, partition, and the offset of the next record to read, for each partition."""


@attrs.frozen(kw_only=True)
class CommitFailed(LifecycleEvent):
    """A commit of offsets failed. The commit is repeated while the partitions are assigned to this worker."""

    group: str
    partitions: tuple[tuple[str, int], ...]
    lost: bool
    """
    Whether the partitions no longer belong to this worker. If so, the records since the last commit are
    read again.
    """
    error: Exception


@attrs.frozen(kw_only=True)
class EmittedEventsLost(LifecycleEvent):
    """
    Events that a worker's receivers emitted are neither in Kafka nor in the outbox. The worker stops without committing
    the last offsets. So the last records are read again, and the receivers emit these events again.
    """

    group: str
    count: int
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen(kw_only=True)
class OffsetsMoved(LifecycleEvent):
    """
    A worker begins to read each partition in ``offsets`` at the first record whose timestamp is ``time`` or later. An
    operator has started the worker with this time. A restart with the same time does not move the offsets again.
    """

    group: str
    time: str
    offsets: tuple[tuple[str, int, int], ...]
    """Topic, partition, and the offset of the next record to read, for each partition."""


@attrs.frozen(kw_only=True)
class OffsetsLost(LifecycleEvent):
    """
    The partition does not have the offset that the group had to read next. If ``offset`` is less than ``start``,
    records were deleted before the group had read them. Otherwise the topic was recreated, or Kafka lost the
    partition's last records.
    """

    group: str
    topic: str
    partition: int
    offset: int
    start: int
    """The first offset of the partition."""
    end: int
    """The offset after the partition's last record."""
    to: int
    """The offset at which the group continues."""


@attrs.frozen(kw_only=True)
class WindowFull(LifecycleEvent):
    """
    A worker does not read a partition at present, because the partition's window is full and its position has not moved
    for several seconds. The worker is not ready until the position moves, or the window is less than half full.
    """

    group: str
    topic: str
    partition: int
    records: int
    """Number of records that are read and not committed."""
    size: int
    """Number of bytes of the records that are read and not done."""
    waits_for: str
    """
    Coordinates of the first record that is not done, ``topic:partition:offset``; ``its commit`` if all records are
    done, but not committed.
    """
