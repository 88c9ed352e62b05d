"""Defines the question about an event, and the parts of the answer. Times are milliseconds since the epoch."""

from __future__ import annotations

from enum import Enum
from math import inf
from time import monotonic
from uuid import UUID

import attrs

MOST = 50
"""
A search for a key returns at most this number of rows of each table, and at most this number of records in Kafka. It
returns the latest rows and records.
"""
_UUID_EPOCH = 0x01B21DD213814000
"""Timestamp of a UUID1 made at the beginning of 1970, in units of 100 ns."""


@attrs.frozen(kw_only=True)
class Question:
    """The event to search for, given by its id or by the key of its record."""

    event_id: UUID | None = None
    key: str | None = None
    """The key in plain text; ignored if ``event_id`` is given."""
    topics: tuple[str, ...] = ()
    """
    Topics to search, or single partitions as ``topic:partition``, with or without prefix; empty: all topics of this
    service's routes, subscriptions and dead letters.
    """
    event_type: str = ""
    """Type of the event. Routes of other event types are not searched; empty: all routes are searched."""
    since: int | None = None
    """
    Earliest time of the records that are searched. None: the search begins a minute before the time in the event id or,
    without such a time, at the first record.
    """
    seconds: float = 10.0
    """Time limit for reading records, in seconds."""
    limit: float | None = None
    """Time limit for the whole answer, in seconds from ``asked`` on; None: only the parts of the search have limits."""
    asked: float = attrs.field(factory=monotonic, eq=False)
    """Monotonic time at which the question was made."""

    @property
    def emitted(self) -> int | None:
        """The time in the event id, in milliseconds since the epoch; None: the id is not a UUID1."""
        if self.event_id is None or self.event_id.version != 1:
            return None
        return (self.event_id.time - _UUID_EPOCH) // 10_000

    def due(self, share: float) -> float:
        """
        Return the monotonic time at which ``share`` (from 0 to 1) of ``limit`` is over; without a limit, infinity.
        """
        return inf if self.limit is None else self.asked + self.limit * share

    def left(self, most: float, share: float) -> float:
        """Return the seconds until :meth:`due`: at least 0, and at most ``most``."""
        return max(min(most, self.due(share) - monotonic()), 0.0)


@attrs.frozen(kw_only=True)
class OutboxPlace:
    """A row of the outbox that contains the event. The row waits for a relay, or is parked."""

    database: str
    row: int
    topic: str
    event_type: str
    event_id: str
    since: int
    """The time at which the row was written or parked."""
    code: str = ""
    """Kafka's name of the error for which the row was parked; empty: the row is not parked."""
    reason: str = ""

    @property
    def is_parked(self) -> bool:
        return bool(self.code)


class Reached(Enum):
    """Whether a consumer group has finished a record."""

    BEYOND = "beyond"
    """The group has committed a later offset, so it has finished the record."""
    BEHIND = "behind"
    """The group has not committed a later offset: it may still have to read, process or commit the record."""
    TAKEN = "taken"
    """The group will skip the record, because an operator has quarantined it."""
    NOTHING = "nothing"
    """The group subscribes to the topic, but has committed no offset for the partition."""


@attrs.frozen(kw_only=True)
class GroupPlace:
    """The progress of a consumer group on the partition of a record."""

    group: str
    reached: Reached
    committed: int | None
    """The committed offset, which the group reads next; None: no offset is committed."""
    before: int
    """Number of offsets from ``committed`` to the record; 0 if ``committed`` is None or not before the record."""
    lag: int
    """
    Number of offsets from ``committed`` to the end of the partition. If ``committed`` is None, offsets from 0 on are
    counted.
    """


@attrs.frozen(kw_only=True)
class KafkaPlace:
    """A record in Kafka that contains the event."""

    topic: str
    partition: int
    offset: int
    time: int | None
    """
    The record's timestamp; None: the record has none. If the event waited in an outbox, the timestamp is later than the
    time at which the event was made. The event id, if it is a UUID of version 1, contains that earlier time.
    """
    event_type: str
    event_id: str
    masked_key: str | None
    """Text that stands for the key and does not reveal it. Equal keys have equal texts. None: the record has no key."""
    is_tombstone: bool
    is_dead_letter: bool
    """Whether the record is a copy on a topic of dead letters."""
    groups: tuple[GroupPlace, ...] = ()

    @property
    def coordinates(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@attrs.frozen(kw_only=True)
class ReceiverPart:
    """The state of one receiver in a dead letter."""

    receiver: str
    """The receiver's name; empty: no receiver was called, for example because the record could not be decoded."""
    state: str
    """The receiver's state: a value of ``EntryState``."""
    attempts: int
    error: str
    changed: int
    stand_in: str = ""
    """The receiver that succeeded in place of ``receiver``; empty: none."""


@attrs.frozen(kw_only=True)
class LetterPlace:
    """A dead letter of the event in this service, existing or deleted."""

    letter: int
    is_open: bool
    """True: the letter exists, because a receiver is pending; False: the letter is deleted."""
    group: str
    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
    time: int | None
    """The record's timestamp; None: unknown, for example because the letter is deleted."""
    receivers: tuple[ReceiverPart, ...]

    @property
    def coordinates(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@attrs.frozen(kw_only=True)
class MarkPlace:
    """A mark in an inbox: a receiver of this service has processed the event. ``since``: the time of the mark."""

    database: str
    receiver: str
    since: int


@attrs.frozen(kw_only=True)
class Scanned:
    """The offsets of a partition that were searched."""

    topic: str
    partition: int
    start: int
    """The first offset that was searched."""
    stop: int
    """The offset after the last searched offset."""
    end: int
    """The end offset of the partition."""
    last_time: int | None
    """The timestamp of the last record that was read; None: no record was read."""

    @property
    def is_complete(self) -> bool:
        return self.stop >= self.end


class Loss(Enum):
    """The way in which Kafka may have deleted a record."""

    RETENTION = "retention"
    """
    Kafka has deleted the first records of the partition, because the topic's retention was over or an operator ordered
    it. The event may have been among these records.
    """
    COMPACTION = "compaction"
    """The topic keeps only the last record of each key, so a later record may have replaced the event's record."""


@attrs.frozen(kw_only=True)
class MaybeGone:
    """A partition or topic from which Kafka may have deleted the event."""

    topic: str
    partition: int | None
    """Number of the partition; None: any partition of the topic."""
    loss: Loss
    offset: int | None = None
    """
    The event's offset according to a dead letter: Kafka has certainly deleted the record there. None: the offset is
    unknown, so the record may still exist.
    """
    start: int | None = None
    """The partition's first offset that still exists; ``start_time`` is the timestamp of the record at this offset."""
    start_time: int | None = None


@attrs.frozen(kw_only=True)
class Unseen:
    """A place that could not be searched, and the reason."""

    what: str
    why: str


@attrs.frozen(kw_only=True)
class Whereabouts:
    """All findings of a search for an event."""

    question: Question
    event_type: str
    """The event's type; empty: unknown."""
    outbox: tuple[OutboxPlace, ...]
    records: tuple[KafkaPlace, ...]
    more_records: int
    """Number of further records with the key that are older than all records in ``records``."""
    letters: tuple[LetterPlace, ...]
    marks: tuple[MarkPlace, ...]
    scanned: tuple[Scanned, ...]
    read: int
    """Number of records that were read."""
    gone: tuple[MaybeGone, ...]
    unseen: tuple[Unseen, ...]

    @property
    def is_found(self) -> bool:
        """Whether the search has found the event, its dead letter, or its mark in an inbox."""
        return bool(self.outbox or self.records or self.letters or self.marks)
