"""The values that make up the status of the bus. They never contain event data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from event_bus_kafka.operations.neglects.catalogue import Neglect, OwnTables
from event_bus_kafka.operations.status.asking import Unanswered
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
    tables: OwnTables
    version: str
    """The version of this package."""
    user: str = ""
    """The name with which this service logs in to Kafka; empty if the client's options do not contain it."""


@attrs.frozen(kw_only=True)
class OutboxStatus:
    """The status of one outbox."""

    database: str
    """Alias of the database."""
    rows: Mapping[str, int] | None
    """
    Topic → number of rows, among the first 100,000 rows that the database finds. None: the state of the outbox is
    unknown.
    """
    oldest_seconds: float | None = None
    """Age of the oldest row; None: no row waits, or the age is unknown."""
    parked: int | None = None
    """Number of parked rows, at most 100,000; None: unknown."""


@attrs.frozen(kw_only=True)
class DeadLetterStatus:
    """The status of the table of dead letters."""

    count: int
    """Number of dead letters. At most 1,000 letters are counted."""
    oldest: datetime | None
    """The earliest time of a letter's last failure; None: the table is empty."""
    newest: datetime | None
    """The latest time of a letter's last failure; None: the table is empty."""


@attrs.frozen(kw_only=True)
class PausedStatus:
    """A paused receiver."""

    receiver: str
    since: datetime


@attrs.frozen(kw_only=True)
class LastHour:
    """Numbers of events in the last hour. Events of all services that share the table of history are included."""

    outcomes: Mapping[str, tuple[int, ...]]
    """
    Outcome → number of events in each of the sixty minutes before the current one, oldest first. The last number may
    still grow, because processes write their counts with a delay.
    """


@attrs.frozen(kw_only=True)
class TableStatus:
    """
    The part of the status from the service's tables. An attribute other than ``outboxes`` is None if it is unknown, or
    if its table is missing.
    """

    workers: tuple[WorkerRun, ...] | None
    outboxes: tuple[OutboxStatus, ...]
    dead_letters: DeadLetterStatus | None
    paused: tuple[PausedStatus, ...] | None
    last_hour: LastHour | None
    not_known: Mapping[str, str]
    """
    Name of an unknown attribute → the reason. The name ``rows of`` with a database's alias stands for the rows of that
    outbox.
    """


@attrs.frozen(kw_only=True)
class TopicStatus:
    """The status of a topic that this service needs, or that a group of this service has read."""

    topic: str
    partitions: int
    """Number of partitions; 0: the topic does not exist, or this Kafka user has no permission to see the topic."""
    records: int | None = None
    """
    Number of existing offsets in the topic's partitions; None: unknown. Compaction may have removed the records at some
    of these offsets.
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
    """
    The group's state in the words of the group's coordinator; ``none``: Kafka knows no such group; empty: unknown.
    """
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
    is_sandbox: bool = False
    """
    Whether the brokers are the sandbox's. Sandbox brokers report neither the options of topics, nor permissions, nor
    the members of groups.
    """
    topics: tuple[TopicStatus, ...]
    groups: tuple[GroupStatus, ...]
    silent: tuple[str, ...] = ()
    """Partitions whose broker gave no answer, as ``topic:number``. Their records are not counted."""


@attrs.frozen(kw_only=True)
class RegistryStatus:
    """The part of the status that the schema registry reports."""

    level: str
    """The default compatibility level, which applies to subjects without a level of their own."""


@attrs.frozen(kw_only=True)
class Finding:
    """A problem that ``event_bus_status --check`` has found, and its remedy. ``id``: the id of its kind."""

    id: str
    subject: str
    message: str
    remedy: str


@attrs.frozen(kw_only=True)
class Status:
    """
    The whole status. ``kafka`` or ``registry`` is None if the server did not answer; ``unanswered`` then has the
    reason. For the missing parts of ``tables``, see :class:`TableStatus`.
    """

    taken: datetime
    tables: TableStatus
    kafka: KafkaStatus | None
    registry: RegistryStatus | None
    neglects: tuple[Neglect, ...]
    neglects_not_known: tuple[str, ...]
    """
    Ids of kinds that may have more neglects than were found, because a server did not answer, a table is missing, or
    there are no heartbeats.
    """
    unanswered: tuple[Unanswered, ...]
    findings: tuple[Finding, ...] | None
    """Findings of the check; None: no check was requested."""
