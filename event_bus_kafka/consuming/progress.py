"""The progress of each assigned partition: from finished records to the offset that may be committed."""

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
    """The attempts at one record, which the lane that is at the record writes."""

    record: ConsumerRecord
    past: Past = NOTHING_YET
    event_type: str = ""
    """Empty before the first attempt, and if this service has no signal for it."""
    event_id: str = ""
    """Empty before it is dispatched."""
    is_early: bool = False
    """Equal to the delivery's ``is_early``."""
    running: Receiver | None = None
    """The receiver that had its turn last."""
    turns: list[float] = attrs.field(factory=list)
    """Times at which each receiver of the current attempt began, by the performance counter."""
    sent_at: datetime | None = None
    """The time of its event; None, as ``tallies``, before it is dispatched."""
    tallies: RecordTallies | None = None
    """Tallies of the lane that processes it."""

    def begin(self, receiver: Receiver) -> None:
        """Note whose turn it is."""
        self.running = receiver
        self.turns.append(perf_counter())


@attrs.define(eq=False)
class Delivery:
    """One record within one assignment, until it is settled. Lanes write it; ``done`` is the last thing they write."""

    record: ConsumerRecord | None
    """None once it is done."""
    partition: PartitionProgress
    offset: int
    size: int
    """Bytes of the record."""
    is_early: bool = False
    """Whether the worker before may have died of it: it is in the log before it is begun."""
    done: bool = False
    dropped: bool = False
    """Left unfinished: the partition's next owner processes it."""
    work: Work | None = None
    """The processor's own state of the record: None before the first attempt, and once it is done."""

    @classmethod
    def of(cls, record: ConsumerRecord, partition: PartitionProgress) -> Delivery:
        """Return the delivery of a record that nobody has been at."""
        return cls(record, partition, record.offset, record.size)

    @property
    def coordinates(self) -> str:
        """``topic:partition:offset``."""
        return f"{self.partition.topic}:{self.partition.number}:{self.offset}"

    @property
    def running(self) -> str:
        """The name of the receiver that had its turn last, empty before the first."""
        work = self.work  # a lane may let it go meanwhile
        return work.running.name if work and work.running else ""

    def finish(self) -> None:
        """
        Release the record and the work: keeping thousands of them until the commit would cost a fourth of all time.
        """
        self.record = self.work = None
        self.partition.freed.append(self.size)
        self.done = True


@attrs.define(eq=False)
class Detached(Delivery):
    """
    A record that no assignment contains, such as a dead letter's. It takes its turn among the records of its key, and
    settles no offset: its ``partition`` is one of its own, which only has the name in common.
    """

    process: Callable[[Detached], Outcome] = attrs.field(kw_only=True)
    """Makes the only attempt at it: it returns Done, whatever became of it."""
    has_begun: bool = False


class Replays(Protocol):
    """Submits records of dead letters between records of the assignment. The polling thread alone calls it."""

    def submit(self, *, is_busy: bool) -> float:
        """
        Submit the records that may begin now; return the seconds until the next call. ``is_busy``: the assignment has
        records, which must not wait for long.
        """

    def end(self) -> Collection[Partition]:
        """Begin nothing more; return the partitions of the running records."""


class NoReplays:
    """Stands in where there are no replays."""

    def submit(self, *, is_busy: bool) -> float:
        return inf

    def end(self) -> Collection[Partition]:
        return ()


class PartitionPhase(Enum):
    """
    The phases of a partition from its assignment to its end, and the records that lanes begin in each::

                 assigned         revoked or stopped                                  all below done, or time is up
                    |                    |                                                       |
        phase       |        OPEN        | DECIDING       |             DRAINING                 |  CLOSED
        begins      |     everything     | nothing        | all below the last record that       |  nothing
        is dropped  |      nothing       | nothing        | is done or runs; the rest is dropped |  the rest

    Partitions that stay are DECIDING while others drain, so that all lanes are there for these; then OPEN again. One
    that is lost, or stopped a second time, closes at once.
    """

    OPEN = auto()
    DECIDING = auto()
    DRAINING = auto()
    CLOSED = auto()


@attrs.define(eq=False)
class PartitionProgress:
    """
    The window of one assigned partition: records read and not yet committed, in the order of their offsets.

    Offsets may have gaps (compaction, transactions). The polling thread alone changes it; lanes ask :meth:`may_begin`.
    """

    topic: str
    number: int
    metadata: OffsetMetadata = attrs.field(factory=OffsetMetadata)
    next_offset: int = 0
    """The next offset to read; below 0: the start, as librdkafka counts."""
    committed: int | None = None
    position: int | None = attrs.field(default=attrs.Factory(lambda self: self.committed, takes_self=True))
    """The offset that may be committed: the first unfinished record's, or, without any, the next one to read."""
    phase: PartitionPhase = PartitionPhase.OPEN
    drains_to: int = -1
    """The last offset that is begun while DRAINING."""
    size: int = 0
    """Bytes of the records that are not done."""
    freed: deque[int] = attrs.field(factory=deque)
    """Bytes of records that lanes have done, and that are still to be subtracted from ``size``."""
    early: int = 0
    """Number of the next records that another worker may have begun already: up to a window of them."""
    passed: int = 0
    """Records that the position passed since the last commit: the partition's next owner would process them again."""
    flooded: bool = False
    """
    A dead letter is held because the partition had too many in a row; lanes write it, under the flood guard's lock.
    """
    full_since: float | None = None
    """The time since which it has been full, and never half empty."""
    paused: bool = False
    """Whether the client reads nothing of it, as it has been full for long."""
    stood_at: tuple[int | None, float] = (None, 0.0)
    """The position that it had last while it was paused, and since when."""
    waits_for: str = ""
    """The record that keeps the position, once it has stood for long; empty while it moves."""
    end: int | None = None
    """The offset after the last record in Kafka, as far as the client knows."""
    _window: deque[Delivery] = attrs.field(factory=deque)

    @property
    def name(self) -> Partition:
        return self.topic, self.number

    @property
    def unsettled(self) -> int:
        """Records that are not done, or wait for one before them."""
        return len(self._window)

    @property
    def held(self) -> int:
        """Records read and not yet committed."""
        return len(self._window) + self.passed

    @property
    def highest_done(self) -> int:
        """The highest offset in the window that is done, -1 without one."""
        return max((delivery.offset for delivery in self._window if delivery.done), default=-1)

    @property
    def oldest(self) -> Delivery | None:
        """The first record that is not done. Any thread may ask."""
        return next((delivery for delivery in tuple(self._window) if not delivery.done), None)

    def may_begin(self, offset: int) -> bool | None:
        """Return whether a lane may begin a record; False: it is to be dropped; None: ask again, it is not decided."""
        phase = self.phase  # read once: the polling thread may change it between two looks
        if phase is PartitionPhase.OPEN:
            return True
        if phase is PartitionPhase.DECIDING:
            return None
        return phase is PartitionPhase.DRAINING and offset <= self.drains_to

    def take(self, record: ConsumerRecord) -> Delivery:
        """Add the next record."""
        delivery = Delivery.of(record, self)
        if self.early:
            self.early -= 1
            delivery.is_early = True
        self._window.append(delivery)
        self.next_offset = record.offset + 1
        self.size += delivery.size
        return delivery

    def go_on_from(self, offset: int) -> None:
        """Continue at ``offset``: the records that should have come next are gone."""
        if offset < self.next_offset:  # another log, whose offsets have begun anew: no position is in the old window
            self._window, self.passed = deque(), 0
            self.metadata = attrs.evolve(self.metadata, taken=frozenset())
        if not self._window:
            self.position = offset  # committed at once, lest the next worker begins at the old one
        self.next_offset = offset

    def advance(self) -> Delivery | None:
        """Move the position past the records at the head that are done; return the first that is not."""
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
        """The position if it has to be committed."""
        return self.position if self.position != self.committed else None

    def confirm(self, offset: int) -> None:
        """Note that the position is committed."""
        self.committed, self.passed = offset, 0
