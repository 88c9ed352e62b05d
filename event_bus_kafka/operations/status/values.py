"""The status of the bus, as values. None of it is event data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from event_bus_kafka.operations.neglects.catalogue import Neglect, OwnTables
from event_bus_kafka.operations.status.asking import Unanswered
from event_bus_kafka.operations.workers import WorkerRun


@attrs.frozen(kw_only=True)
class OwnBus:
    """The bus as this service's settings have it."""

    sent: frozenset[str]
    """Full names of topics that it sends to."""
    groups: Mapping[str, frozenset[str]]
    """Consumer group → full names of the topics that it subscribes to."""
    outboxes: tuple[str, ...]
    """Aliases of the databases that may have an outbox."""
    tables: OwnTables
    version: str
    """The version of this package."""


@attrs.frozen(kw_only=True)
class OutboxStatus:
    """An outbox."""

    database: str
    """The alias."""
    rows: Mapping[str, int] | None
    """Rows by topic, of the first 100,000 that the database finds; None: not known, as all of the outbox."""
    oldest_seconds: float | None = None
    """Age of the oldest; None: none waits."""
    parked: int | None = None
    """100,000 at most."""


@attrs.frozen(kw_only=True)
class DeadLetterStatus:
    """The table of dead letters."""

    count: int
    """1,000 at most."""
    oldest: datetime | None
    newest: datetime | None


@attrs.frozen(kw_only=True)
class PausedStatus:
    """A receiver that is paused."""

    receiver: str
    since: datetime


@attrs.frozen(kw_only=True)
class LastHour:
    """Events of all processes of the services that share the table, in the last hour."""

    outcomes: Mapping[str, tuple[int, ...]]
    """Outcome → number in each of sixty minutes, the oldest first; a minute is complete a minute after its end."""


@attrs.frozen(kw_only=True)
class TableStatus:
    """The part of the status from the service's tables; None where it is not known, or a table is missing."""

    workers: tuple[WorkerRun, ...] | None
    outboxes: tuple[OutboxStatus, ...]
    dead_letters: DeadLetterStatus | None
    paused: tuple[PausedStatus, ...] | None
    last_hour: LastHour | None
    not_known: Mapping[str, str]
    """Name of an attribute that is not known, or ``rows of`` and the alias of an outbox → why."""


@attrs.frozen(kw_only=True)
class TopicStatus:
    """A topic that this service needs, or that one of its groups has read."""

    topic: str
    partitions: int
    """0: it is not there, or hidden from this user."""
    records: int | None = None
    """
    Offsets between the beginning and the end of its partitions; compaction may have removed some of the records. None:
    not known.
    """
    oldest: datetime | None = None
    """Time of its oldest record; None: it has none, or these brokers do not say."""
    policy: str = ""
    """``cleanup.policy``; empty: not known."""
    retention_seconds: float | None = None
    """None: for ever, or unknown."""


@attrs.frozen(kw_only=True)
class Unread:
    """A topic that a group has still to read to its end."""

    topic: str
    lag: int
    """Offsets."""
    lost: int = 0
    """Offsets that were deleted before the group has read them."""
    ends_soon: bool = False
    """Whether the oldest of its unread records are near the end of the topic's retention."""


@attrs.frozen(kw_only=True)
class GroupStatus:
    """A consumer group of this service."""

    group: str
    state: str
    """The coordinator's word; empty: unknown."""
    members: int | None
    """None: these brokers do not say; or the group is of the newer protocol and has some."""
    topics: int
    """Number of topics it reads."""
    unread: tuple[Unread, ...]
    refusal: str = ""
    """Why its offsets cannot be read."""

    @property
    def has_members(self) -> bool | None:
        """Whether it has members; None: unknown."""
        return bool(self.state) or None if self.members is None else self.members > 0

    @property
    def lag(self) -> int:
        """Offsets that it has still to read."""
        return sum(one.lag for one in self.unread)


@attrs.frozen(kw_only=True)
class KafkaStatus:
    """The part of the status from Kafka."""

    cluster: str
    brokers: tuple[str, ...]
    has_controller: bool
    is_sandbox: bool = False
    """Nobody can ask its brokers for topics' options, rights, or members of groups."""
    topics: tuple[TopicStatus, ...]
    groups: tuple[GroupStatus, ...]
    silent: tuple[str, ...] = ()
    """Partitions whose broker gave no answer: nothing of them is counted. As ``topic:number``."""


@attrs.frozen(kw_only=True)
class RegistryStatus:
    """The part of the status from the schema registry."""

    level: str
    """Compatibility level of subjects that have none of their own."""


@attrs.frozen(kw_only=True)
class Finding:
    """Something that is wrong, and its remedy."""

    id: str
    subject: str
    message: str
    remedy: str


@attrs.frozen(kw_only=True)
class Status:
    """
    The whole status. A part is None if its server did not answer, which ``unanswered`` then explains; of tables, see
    :class:`TableStatus`.
    """

    taken: datetime
    tables: TableStatus
    kafka: KafkaStatus | None
    registry: RegistryStatus | None
    neglects: tuple[Neglect, ...]
    neglects_not_known: tuple[str, ...]
    """Ids of kinds of which there may be more: a server gave no answer, a table is missing, there are no heartbeats."""
    unanswered: tuple[Unanswered, ...]
    findings: tuple[Finding, ...] | None
    """None: no check was asked for."""
