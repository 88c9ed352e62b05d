"""What is asked about an event, and all that was found of it. Times are milliseconds since the epoch."""

from __future__ import annotations

from enum import Enum
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
    """In plain text; used where there is no id."""
    topics: tuple[str, ...] = ()
    """With or without prefix; empty: those of this service's routes and subscriptions."""
    event_type: str = ""
    """Restricts the routes whose topics are looked at; empty: all."""
    since: int | None = None
    """Records before this time are not looked at; None: before the id's time, or none."""
    seconds: float = 10.0
    """How long records are read at most."""

    @property
    def emitted(self) -> int | None:
        """The time that a UUID1 carries; None for other ids."""
        if self.event_id is None or self.event_id.version != 1:
            return None
        return (self.event_id.time - _UUID_EPOCH) // 10_000


@attrs.frozen(kw_only=True)
class OutboxPlace:
    """The event is a row that waits for a relay, or that was parked."""

    database: str
    row: int
    topic: str
    event_type: str
    event_id: str
    since: int
    """When it was written, or parked."""
    code: str = ""
    """Why it is parked, as Kafka spells it; empty: it is not."""
    reason: str = ""

    @property
    def is_parked(self) -> bool:
        return bool(self.code)


class Reached(Enum):
    """How a group stands to a record."""

    BEYOND = "beyond"
    """It has committed a later offset: it is done with the record."""
    BEHIND = "behind"
    """It has still to read the record, or works on it."""
    TAKEN = "taken"
    """It will pass over the record, which was taken aside as a dead letter."""
    NOTHING = "nothing"
    """It has committed nothing for the partition, although it subscribes to the topic."""


@attrs.frozen(kw_only=True)
class GroupPlace:
    """How far a group is on the partition of a record."""

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
    """Of the record: much later than that of the id, where the event waited in the outbox."""
    event_type: str
    event_id: str
    masked_key: str | None
    """Equal for equal keys."""
    is_tombstone: bool
    is_dead_letter: bool
    """It is a copy, on a topic of dead letters."""
    groups: tuple[GroupPlace, ...] = ()

    @property
    def coordinates(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@attrs.frozen(kw_only=True)
class ReceiverPart:
    """What became of a dead letter for one receiver."""

    receiver: str
    """Empty: none had its turn, as the record could not be read."""
    state: str
    """One of ``EntryState``."""
    attempts: int
    error: str
    changed: int
    stand_in: str = ""
    """Who has succeeded in its place."""


@attrs.frozen(kw_only=True)
class LetterPlace:
    """The event has, or had, a dead letter in this service."""

    letter: int
    is_open: bool
    """The letter is there: a receiver has still to succeed."""
    group: str
    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str
    time: int | None
    """Of the record; None: unknown, as where the letter is gone."""
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
    """That of the partition."""
    last_time: int | None
    """Of the last record that was looked at."""

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
    """None: all of the topic."""
    loss: Loss
    offset: int | None = None
    """Where it was, as a dead letter tells: it is gone for sure. None: that is not known."""
    start: int | None = None
    """The first offset that is there, as is the time of its record."""
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
    """Records with the key that are older than those listed."""
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
