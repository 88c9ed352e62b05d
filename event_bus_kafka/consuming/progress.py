"""The progress of each assigned partition: which records are finished, and which offset may be committed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime
from enum import Enum, auto
from math import inf
from time import perf_counter
from typing import Protocol

import attrs

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.dispatching.attempts import NOTHING_YET, Past
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import Outcome
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.telemetry.record_tallies import RecordTallies
from event_bus_kafka.wire.records import ConsumerRecord


@attrs.define(eq=False)
class Work:
    """The attempts at one record. Only the lane that processes the record changes this object."""

    record: ConsumerRecord
    is_early: bool = False
    """Whether a previous worker may have crashed at this record."""
    past: Past = NOTHING_YET
    event_type: str = ""
    """The event type. Empty before the first attempt, or if no signal of this service has the type."""
    event_id: str = ""
    """The event's id; empty until the event is dispatched."""
    running: Receiver | None = None
    """The receiver that was called last."""
    turns: list[float] = attrs.field(factory=list)
    """Start times of the receivers' calls in the current attempt (``perf_counter``, in seconds)."""
    sent_at: datetime | None = None
    """The time at which the event was sent; None until the event is dispatched."""
    tallies: RecordTallies | None = None
    """The counters to which the record's results are added; None until the event is dispatched."""

    def begin(self, receiver: Receiver) -> None:
        """Note that ``receiver`` is about to be called."""
        self.running = receiver
        self.turns.append(perf_counter())


@attrs.define(eq=False)
class Delivery:
    """A record within one assignment, with the attempts at it. Lanes change the attributes, and set ``done`` last."""

    record: ConsumerRecord | None
    """The record; None after the delivery is done."""
    partition: PartitionProgress
    offset: int
    size: int
    """Bytes of the record."""
    is_early: bool = False
    """
    Whether a previous worker may have crashed at this record. If so, the record is logged before its receivers are
    called.
    """
    done: bool = False
    dropped: bool = False
    """Whether the record was left unfinished for the next worker of its partition."""
    work: Work | None = None
    """The attempts at the record; None before the first attempt and after the delivery is done."""

    @classmethod
    def of(cls, record: ConsumerRecord, partition: PartitionProgress) -> Delivery:
        """Return the delivery of a record that has not been attempted yet."""
        return cls(record, partition, record.offset, record.size)

    @property
    def coordinates(self) -> str:
        """The record's coordinates: ``topic:partition:offset``."""
        return f"{self.partition.topic}:{self.partition.number}:{self.offset}"

    @property
    def running(self) -> str:
        """The name of the receiver that was called last; empty before the first call."""
        work = self.work  # read once: a lane may set it to None meanwhile
        return work.running.name if work and work.running else ""

    def finish(self) -> None:
        """
        Set ``done``. Set ``record`` and ``work`` to None, because keeping thousands of these objects in memory until
        the commit would cost a fourth of the processing time.
        """
        self.record = self.work = None
        self.partition.freed.append(self.size)
        self.done = True


@attrs.define(eq=False)
class Detached(Delivery):
    """
    A record outside of any assignment, such as the record of a dead letter. The scheduler orders it among the records
    of its key. No committed offset depends on the record, because ``partition`` is an object of its own, even if a
    partition with the same name is assigned.
    """

    process: Callable[[Detached], Outcome] = attrs.field(kw_only=True)
    """Makes the only attempt at the record and returns Done, even if the attempt failed."""
    has_begun: bool = False


class Replays(Protocol):
    """
    Submits records for a replay request between records of the assignment. Only the polling thread calls the methods.
    """

    def submit(self, *, is_busy: bool) -> float:
        """
        Submit the records that may begin now; return the seconds until this method must be called again. ``is_busy``:
        whether records of the assignment are unsettled. Replays must not delay such records for long.
        """

    def end(self) -> Collection[Partition]:
        """Submit no more records. Return the partitions of the submitted records whose receivers are still running."""


class NoReplays:
    """Replays for workers that replay nothing."""

    def submit(self, *, is_busy: bool) -> float:
        return inf

    def end(self) -> Collection[Partition]:
        return ()


class PartitionPhase(Enum):
    """
    The phases of a partition from its assignment to its end:

    - OPEN, from the assignment on: lanes may begin every record.
    - DECIDING: lanes begin no record and drop none.
    - DRAINING, after a revocation or a stop: lanes begin only records below the highest one that is finished or
      running, and drop the others. The phase lasts until these records are finished. It ends earlier if the first
      unfinished record waits for a retry, or if the time limit is over.
    - CLOSED: lanes drop every record that they have not begun.

    While some partitions drain, the partitions that stay assigned are DECIDING, so that all lanes work for the draining
    partitions. Afterwards the staying partitions are OPEN again. A partition that is lost, or stopped a second time, is
    CLOSED at once.
    """

    OPEN = auto()
    DECIDING = auto()
    DRAINING = auto()
    CLOSED = auto()


@attrs.define(eq=False)
class PartitionProgress:
    """
    The window of one assigned partition: records read and not yet committed, in the order of their offsets.

    Offsets may have gaps (compaction, transactions). Only the polling thread changes the window; lanes call
    :meth:`may_begin`.
    """

    topic: str
    number: int
    metadata: OffsetMetadata = attrs.field(factory=OffsetMetadata)
    next_offset: int = 0
    """
    The offset of the next record to read. A negative number is librdkafka's constant for the beginning of the
    partition.
    """
    committed: int | None = None
    position: int | None = attrs.field(default=attrs.Factory(lambda self: self.committed, takes_self=True))
    """
    The offset that may be committed, because all records below it are finished. None: no offset was committed, and no
    record is finished.
    """
    phase: PartitionPhase = PartitionPhase.OPEN
    drains_to: int = -1
    """Highest offset of the records that a lane may begin in the phase DRAINING."""
    size: int = 0
    """Bytes of the records that are not done."""
    freed: deque[int] = attrs.field(factory=deque)
    """Sizes in bytes of records that lanes have finished. :meth:`advance` subtracts these sizes from ``size``."""
    early: int = 0
    """Maximum number of records, from ``next_offset`` on, that a previous worker may have begun."""
    passed: int = 0
    """
    Number of records that the position has moved past since the last commit. After a crash the partition's next owner
    processes these records again.
    """
    flooded: bool = False
    """
    Whether a record waits because the partition had too many dead letters in a row. Lanes set this attribute, under the
    lock of the DeadLetterLimit.
    """
    full_since: float | None = None
    """Time at which the window became full; set back to None once the window is less than half full."""
    paused: bool = False
    """Whether the client has paused the partition because its window was full for a long time."""
    stood_at: tuple[int | None, float] = (None, 0.0)
    """
    The position that was seen last while the partition was paused, and the time at which this position was first seen.
    """
    waits_for: str = ""
    """
    If the position of a paused partition has not moved for a long time: the coordinates of the first unfinished record,
    or "its commit" if all records are finished. Otherwise empty.
    """
    end: int | None = None
    """The partition's end offset in Kafka, one above the last record's offset; None: the client does not know it."""
    _window: deque[Delivery] = attrs.field(factory=deque)

    @property
    def name(self) -> Partition:
        return self.topic, self.number

    @property
    def unsettled(self) -> int:
        """Number of records that are unfinished, or finished but with a higher offset than an unfinished record."""
        return len(self._window)

    @property
    def held(self) -> int:
        """Number of records that were read and are not committed yet."""
        return len(self._window) + self.passed

    @property
    def highest_done(self) -> int:
        """The highest offset of a finished record in the window; -1: no record in the window is finished."""
        return max((delivery.offset for delivery in self._window if delivery.done), default=-1)

    @property
    def oldest(self) -> Delivery | None:
        """The first unfinished record; None: all are finished. Any thread may read this property."""
        return next((delivery for delivery in tuple(self._window) if not delivery.done), None)

    def may_begin(self, offset: int) -> bool | None:
        """
        Return whether a lane may begin the record at ``offset``. False: the lane must drop the record. None: this is
        not decided yet, and the lane must ask again.
        """
        phase = self.phase  # read once: the polling thread may change it between two looks
        if phase is PartitionPhase.OPEN:
            return True
        if phase is PartitionPhase.DECIDING:
            return None
        return phase is PartitionPhase.DRAINING and offset <= self.drains_to

    def take(self, record: ConsumerRecord) -> Delivery:
        """Add ``record`` to the window; return the record's delivery."""
        delivery = Delivery.of(record, self)
        if self.early:
            self.early -= 1
            delivery.is_early = True
        self._window.append(delivery)
        self.next_offset = record.offset + 1
        self.size += delivery.size
        return delivery

    def go_on_from(self, offset: int) -> None:
        """Continue at ``offset``, because Kafka does not have the offset that was to be read next."""
        if offset < self.next_offset:  # the topic was created anew: offsets of the old window mean nothing
            self._window, self.passed = deque(), 0
            self.metadata = attrs.evolve(self.metadata, taken=frozenset())
        if not self._window:
            self.position = offset  # commit at once, so that the next worker does not begin at the old one
        self.next_offset = offset

    def advance(self) -> Delivery | None:
        """
        Move the position past the finished records at the beginning of the window. Return the first unfinished record,
        or None if there is none.
        """
        while self.freed:
            self.size -= self.freed.popleft()
        while window := self._window:
            if not window[0].done:
                return window[0]
            self.passed += 1
            self.position = window.popleft().offset + 1
        return None

    @property
    def uncommitted(self) -> int | None:
        """The position if the position differs from the committed offset; otherwise None."""
        return self.position if self.position != self.committed else None

    def confirm(self, offset: int) -> None:
        """Note that ``offset`` is committed."""
        self.committed, self.passed = offset, 0
