"""The question about an event, and the parts of its answer. Times are milliseconds since the epoch."""

from __future__ import annotations

from enum import Enum
from math import inf
from time import monotonic
from uuid import UUID

import attrs

MOST = 50
"""Rows of an outbox, dead letters and records that an answer has of one key: the latest."""
_UUID_EPOCH = 0x01B21DD213814000
"""The time of a UUID1 at the start of 1970, in 100 ns."""


@attrs.frozen(kw_only=True)
class Question:
    """Which event is looked for: by its id, or by the key of its record."""

    event_id: UUID | None = None
    key: str | None = None
    """In plain text; used if there is no id."""
    topics: tuple[str, ...] = ()
    """With or without prefix; empty: all topics of this service's routes and subscriptions."""
    event_type: str = ""
    """Restricts the routes whose topics are looked at; empty: all."""
    since: int | None = None
    """Records before this time are not looked at; None: before the id's time, or none."""
    seconds: float = 10.0
    """Time for reading records, at most."""
    limit: float | None = None
    """Seconds for the whole answer, from when the question is made, whoever is silent; None: each part has its own."""
    asked: float = attrs.field(factory=monotonic, eq=False)
    """When the question was made (monotonic)."""

    @property
    def emitted(self) -> int | None:
        """The time that a UUID1 carries; None for other ids."""
        if self.event_id is None or self.event_id.version != 1:
            return None
        return (self.event_id.time - _UUID_EPOCH) // 10_000

    def due(self, share: float) -> float:
        """Return when ``share`` of the time for the whole answer is over (monotonic); infinite without a limit."""
        return inf if self.limit is None else self.asked + self.limit * share

    def left(self, most: float, share: float) -> float:
        """Return the seconds until :meth:`due`, at most ``most``, and never less than 0."""
        return max(min(most, self.due(share) - monotonic()), 0.0)


@attrs.frozen(kw_only=True)
class OutboxPlace:
    """The event is a row that waits for a relay, or that was parked."""

    database: str
    row: int
    topic: str
    event_type: str
    event_id: str
    since: int
    """The time at which it was written, or parked."""
    code: str = ""
    """Kafka's name of the error for which it is parked; empty: it is not parked."""
    reason: str = ""

    @property
    def is_parked(self) -> bool:
        return bool(self.code)


class Reached(Enum):
    """A group's progress, compared with a record."""

    BEYOND = "beyond"
    """It has committed a later offset: it is done with the record."""
    BEHIND = "behind"
    """It has still to read the record, or works on it."""
    TAKEN = "taken"
    """It will pass over the record, which is quarantined as a dead letter."""
    NOTHING = "nothing"
    """It has committed nothing for the partition, although it subscribes to the topic."""


@attrs.frozen(kw_only=True)
class GroupPlace:
    """A group's progress on the partition of a record."""

    group: str
    reached: Reached
    committed: int | None
    """The next offset that it reads; None: nothing is committed."""
    before: int
    """Offsets between that and the record, 0 if the record is next or behind it."""
    lag: int
    """Offsets between that and the end of the partition."""


@attrs.frozen(kw_only=True)
class KafkaPlace:
    """The event is a record of Kafka."""

    topic: str
    partition: int
    offset: int
    time: int | None
    """The record's time: much later than the id's, if the event waited in the outbox."""
    event_type: str
    event_id: str
    masked_key: str | None
    """Equal for equal keys."""
    is_tombstone: bool
    is_dead_letter: bool
    """Whether it is a copy on a topic of dead letters."""
    groups: tuple[GroupPlace, ...] = ()

    @property
    def coordinates(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@attrs.frozen(kw_only=True)
class ReceiverPart:
    """One receiver's part in a dead letter."""

    receiver: str
    """Empty: no receiver was called, since the record could not be read."""
    state: str
    """A value of ``EntryState``."""
    attempts: int
    error: str
    changed: int
    stand_in: str = ""
    """The receiver that has succeeded in its place."""


@attrs.frozen(kw_only=True)
class LetterPlace:
    """The event has, or had, a dead letter in this service."""

    letter: int
    is_open: bool
    """The letter still exists: a receiver is pending."""
    group: str
    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
    time: int | None
    """The record's time; None: unknown, for example because the letter is deleted."""
    receivers: tuple[ReceiverPart, ...]

    @property
    def coordinates(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@attrs.frozen(kw_only=True)
class MarkPlace:
    """A receiver of this service has had the event, as its inbox says."""

    database: str
    receiver: str
    since: int


@attrs.frozen(kw_only=True)
class Scanned:
    """Which records of a partition were looked at."""

    topic: str
    partition: int
    start: int
    """The first offset."""
    stop: int
    """The offset after the last one."""
    end: int
    """The end of the partition."""
    last_time: int | None
    """The time of the last record that was read."""

    @property
    def is_complete(self) -> bool:
        return self.stop >= self.end


class Loss(Enum):
    """Why a record that was there may be there no more."""

    RETENTION = "retention"
    """The partition begins later than the event."""
    COMPACTION = "compaction"
    """The topic keeps only the last record of each key."""


@attrs.frozen(kw_only=True)
class MaybeGone:
    """The event may have been on a partition, and be there no more."""

    topic: str
    partition: int | None
    """None: the whole topic."""
    loss: Loss
    offset: int | None = None
    """The offset at which a dead letter says it was: the record is gone for sure. None: unknown."""
    start: int | None = None
    """The first offset that still exists; ``start_time`` is its record's time."""
    start_time: int | None = None


@attrs.frozen(kw_only=True)
class Unseen:
    """Something that could not be looked at."""

    what: str
    why: str


@attrs.frozen(kw_only=True)
class Whereabouts:
    """All that this service can say of an event."""

    question: Question
    event_type: str
    """Empty: unknown."""
    outbox: tuple[OutboxPlace, ...]
    records: tuple[KafkaPlace, ...]
    more_records: int
    """Number of records with the key that are older than the listed ones."""
    letters: tuple[LetterPlace, ...]
    marks: tuple[MarkPlace, ...]
    scanned: tuple[Scanned, ...]
    read: int
    """Records that were looked at."""
    gone: tuple[MaybeGone, ...]
    unseen: tuple[Unseen, ...]

    @property
    def is_found(self) -> bool:
        """Whether it is, or has left a trace, anywhere that could be looked at."""
        return bool(self.outbox or self.records or self.letters or self.marks)
