"""The values that make up the status of the bus. They never contain event data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from event_bus_kafka.operations.neglects.catalogue import Neglect
from event_bus_kafka.operations.workers import WorkerRun


@attrs.frozen(kw_only=True)
class OwnBus:
    """The topics, groups and databases that this service's settings name."""

    sent: frozenset[str]
    """Full names of the topics to which this service sends events."""
    groups: Mapping[str, frozenset[str]]
    """Consumer group → full names of the topics to which the group subscribes."""
    outboxes: tuple[str, ...]
    """Aliases of the databases that may have an outbox."""
    retention: float
    """Days for which dead letters and parked rows are kept."""
    version: str
    """The version of this package."""


@attrs.frozen(kw_only=True)
class OutboxStatus:
    """The status of one outbox."""

    database: str
    """Alias of the database."""
    rows: Mapping[str, int]
    """Topic → number of rows. Only the first 100,000 rows that the database finds are counted."""
    oldest_seconds: float | None
    """Age of the oldest row; None: no row waits."""
    parked: int
    """Number of parked rows. At most 100,000 rows are counted."""


@attrs.frozen(kw_only=True)
class DeadLetterStatus:
    """The status of the table of dead letters."""

    count: int
    """Number of dead letters. At most 1,000 letters are counted."""
    oldest: datetime | None
    newest: datetime | None


@attrs.frozen(kw_only=True)
class PausedStatus:
    """A paused receiver."""

    receiver: str
    since: datetime


@attrs.frozen(kw_only=True)
class LastHour:
    """Numbers of events in the last hour. They include all services that share the table of history."""

    outcomes: Mapping[str, tuple[int, ...]]
    """
    Outcome → number of events in each of the sixty minutes, oldest first. The number of a minute can still grow during
    the next minute.
    """


@attrs.frozen(kw_only=True)
class TableStatus:
    """The part of the status that the service's tables hold. A field is None or empty if its table is missing."""

    workers: tuple[WorkerRun, ...]
    outboxes: tuple[OutboxStatus, ...]
    dead_letters: DeadLetterStatus | None
    paused: tuple[PausedStatus, ...]
    last_hour: LastHour | None
    neglects: tuple[Neglect, ...]


@attrs.frozen(kw_only=True)
class TopicStatus:
    """The status of a topic that this service needs, or that a group of this service has read."""

    topic: str
    partitions: int
    """Number of partitions; 0: the topic does not exist, or this Kafka user has no permission to see the topic."""
    records: int | None = None
    """
    Number of offsets from the first offset to the end, summed over all partitions. The number of records is smaller if
    compaction has removed some.
    """
    oldest: datetime | None = None
    """Timestamp of the oldest record; None: the topic is empty, or the brokers do not report the timestamp."""
    policy: str = ""
    """The topic's ``cleanup.policy``; empty: unknown."""
    retention_seconds: float | None = None
    """Time for which Kafka keeps records; None: records are kept for ever, or the time is unknown."""


@attrs.frozen(kw_only=True)
class Unread:
    """A topic that a group has not read to the end."""

    topic: str
    lag: int
    """Number of offsets that the group has not read."""
    lost: int = 0
    """Number of offsets that Kafka deleted before the group read them."""
    ends_soon: bool = False
    """Whether Kafka will soon delete the oldest unread records, because the topic's retention ends."""


@attrs.frozen(kw_only=True)
class GroupStatus:
    """The status of a consumer group of this service."""

    group: str
    state: str
    """The group's state, as its coordinator names it; empty: unknown."""
    members: int | None
    """
    Number of members. None: the brokers do not list members, or the group uses Kafka's newer group protocol and has at
    least one member.
    """
    topics: int
    """Number of topics that the group reads."""
    unread: tuple[Unread, ...]
    refusal: str = ""
    """Why the group's offsets could not be read; empty: they were read."""

    @property
    def has_members(self) -> bool | None:
        """Whether the group has members; None: unknown."""
        return bool(self.state) or None if self.members is None else self.members > 0

    @property
    def lag(self) -> int:
        """Number of offsets that the group has not read, on all topics."""
        return sum(one.lag for one in self.unread)


@attrs.frozen(kw_only=True)
class KafkaStatus:
    """The part of the status that Kafka reports."""

    cluster: str
    brokers: tuple[str, ...]
    has_controller: bool
    topics: tuple[TopicStatus, ...]
    groups: tuple[GroupStatus, ...]


@attrs.frozen(kw_only=True)
class RegistryStatus:
    """The part of the status that the schema registry reports."""

    level: str
    """The default compatibility level, which applies to subjects without a level of their own."""


@attrs.frozen(kw_only=True)
class Finding:
    """A problem, and its remedy."""

    id: str
    subject: str
    message: str
    remedy: str


@attrs.frozen(kw_only=True)
class Unanswered:
    """A server that gave no answer."""

    server: str
    """Name of the server: ``the database``, ``Kafka`` or ``the schema registry``."""
    reason: str
    is_fault: bool = False
    """True: an unexpected exception was raised. The log contains the exception."""


@attrs.frozen(kw_only=True)
class Status:
    """The whole status. A part is None if its server did not answer; ``unanswered`` then says why."""

    taken: datetime
    tables: TableStatus | None
    kafka: KafkaStatus | None
    registry: RegistryStatus | None
    neglects: tuple[Neglect, ...]
    unanswered: tuple[Unanswered, ...]
    findings: tuple[Finding, ...] | None
    """Findings of the check; None: no check was requested."""
