"""
The closed list of lifecycle events.

They carry coordinates, types and errors, never event data: whatever is here may be logged.
"""

from __future__ import annotations

import attrs

from event_bus_kafka.frozen import cheap_frozen


class LifecycleEvent:
    """Base of all lifecycle events."""

    __slots__ = ()


# Sending


@attrs.frozen(kw_only=True)
class EventRejected(LifecycleEvent):
    """An event cannot be sent: its data, its type or the configuration is wrong. No repetition would help."""

    topic: str
    event_type: str
    event_id: str
    error: Exception


@attrs.frozen(kw_only=True)
class EventSpilled(LifecycleEvent):
    """An event was not confirmed by Kafka and was put into the outbox of a database: a relay sends it."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    """Why Kafka has not confirmed it."""
    database: str


@attrs.frozen(kw_only=True)
class EventUndelivered(LifecycleEvent):
    """An event was not confirmed by Kafka, and could not be put into the outbox either: it is lost."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    obstacle: Exception
    """Why the outbox has not taken it."""


@attrs.frozen(kw_only=True)
class SpillDelayed(LifecycleEvent):
    """A database does not take what Kafka did not confirm: it waits in memory, and is tried again."""

    database: str
    error: Exception
    waiting: int
    """Events."""


@attrs.frozen
class ThreadsDisabled(LifecycleEvent):
    """uWSGI lets no thread run between requests: delivery reports wait for the next one, or for the process to end."""


@cheap_frozen
class RecordDelivered(LifecycleEvent):
    """Kafka confirmed a record."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str


# The outbox


@attrs.frozen(kw_only=True)
class EventAppended(LifecycleEvent):
    """An event was put into the outbox; whether it stays there the transaction decides."""

    topic: str
    event_type: str
    event_id: str


@attrs.frozen(kw_only=True)
class AppendToOutboxFailed(LifecycleEvent):
    """An event could not be put into the outbox: its transaction fails with it, or else it goes on commit."""

    topic: str
    event_type: str
    event_id: str
    error: Exception
    doomed: bool
    """Whether the transaction fails."""


@attrs.frozen(kw_only=True)
class OutboxStalled(LifecycleEvent):
    """The oldest row of an outbox is older than five minutes: no relay runs, or it cannot send."""

    database: str
    oldest: float
    """Seconds."""


@attrs.frozen(kw_only=True)
class RowParked(LifecycleEvent):
    """Kafka refuses a row for good: it was set aside."""

    row: int
    topic: str
    event_type: str
    event_id: str
    error: Exception
    code: str


@attrs.frozen(kw_only=True)
class TopicHeld(LifecycleEvent):
    """A topic takes no records at present: its rows wait, and are tried again after ``delay`` seconds."""

    topic: str
    error: Exception
    delay: float


@attrs.frozen(kw_only=True)
class TopicResumed(LifecycleEvent):
    """A topic that was held takes records again."""

    topic: str


@attrs.frozen(kw_only=True)
class RelayInterrupted(LifecycleEvent):
    """A relay could not send or could not use its database: it begins anew after ``delay`` seconds."""

    error: Exception
    unconfirmed: int
    """Rows that stay although they may have arrived."""
    delay: float


@attrs.frozen(kw_only=True)
class RelayProgress(LifecycleEvent):
    """What a relay has sent since it told the last time, and what waits."""

    database: str
    sent: int
    rate: float
    """Rows per second."""
    depth: int
    oldest: float
    """Age of the oldest row, in seconds."""
    parked: tuple[tuple[str, int], ...]
    """Codes, and how many rows were set aside for each."""
    held: tuple[str, ...]
    """Topics."""


@attrs.frozen(kw_only=True)
class ParkedRowsPurged(LifecycleEvent):
    """Parked rows older than the retention were deleted."""

    count: int


# Consuming


@cheap_frozen
class RecordReceived(LifecycleEvent):
    """A record is about to be dispatched for the first time in this assignment."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str


@cheap_frozen
class RecordDone(LifecycleEvent):
    """Every receiver of an event has succeeded."""

    topic: str
    partition: int
    offset: int
    event_type: str


@attrs.frozen(kw_only=True)
class RecordSkipped(LifecycleEvent):
    """A record that nobody here listens to was passed over."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty for a tombstone."""
    reason: str
    """``no receiver``, ``unregistered type``, ``signal disabled``, ``tombstone`` or ``taken aside``."""


@attrs.frozen(kw_only=True)
class AttemptFailed(LifecycleEvent):
    """An attempt failed; the record waits with its key, and is tried again after ``delay`` seconds."""

    topic: str
    partition: int
    offset: int
    event_type: str
    error: Exception
    attempt: int
    """Attempts that count, this one included."""
    outcome: str
    """``retry``, or ``hold`` where no attempt is spent."""
    delay: float


@attrs.frozen(kw_only=True)
class DeadLetterStored(LifecycleEvent):
    """A record was given up and stored, so that its offset may move."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty where the headers do not tell, as is the id."""
    event_id: str
    error: Exception
    attempts: int


@attrs.frozen(kw_only=True)
class ReplayFailed(LifecycleEvent):
    """Receivers failed at a record that was replayed, or it could not be read. Nothing is stored."""

    topic: str
    partition: int
    offset: int
    event_type: str
    """Empty where the headers do not tell, as is the id."""
    event_id: str
    error: Exception


@attrs.frozen(kw_only=True)
class CircuitOpened(LifecycleEvent):
    """A receiver fails for event after event, whatever the key: its events are held, but for probes."""

    receiver: str
    failures: int
    """In a row."""
    probe_every: float
    """Seconds."""


@attrs.frozen(kw_only=True)
class CircuitClosed(LifecycleEvent):
    """A receiver whose circuit was open has succeeded, or was paused: what was held goes on."""

    receiver: str


@attrs.frozen(kw_only=True)
class FloodHeld(LifecycleEvent):
    """So many dead letters in a row came from one partition that no more of them are stored."""

    topic: str
    partition: int
    dead_letters: int


@attrs.frozen(kw_only=True)
class PausesChanged(LifecycleEvent):
    """These receivers and no others are paused from now on: their events become dead letters."""

    receivers: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ReceiverUnfinished(LifecycleEvent):
    """A receiver did not end within ``waited`` seconds; its event comes again."""

    record: str
    """``topic:partition:offset``"""
    receiver: str
    stack: str
    """Where it is: places in the code only."""
    waited: float


@attrs.frozen(kw_only=True)
class DeadLettersPurged(LifecycleEvent):
    """Dead letters older than the retention were deleted."""

    count: int


@attrs.frozen(kw_only=True)
class DuplicateSkipped(LifecycleEvent):
    """A receiver under ``once`` has had an event before: it did not run."""

    receiver: str
    event_type: str
    event_id: str


@attrs.frozen(kw_only=True)
class InboxMarksPurged(LifecycleEvent):
    """Marks of the inbox older than the retention were deleted."""

    count: int


@attrs.frozen(kw_only=True)
class PartitionsAssigned(LifecycleEvent):
    group: str
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen(kw_only=True)
class PartitionsRevoked(LifecycleEvent):
    """Partitions moved away; ``lost``: without a chance to commit. ``unfinished`` receivers were still running."""

    group: str
    partitions: tuple[tuple[str, int], ...]
    lost: bool
    unfinished: int


@attrs.frozen(kw_only=True)
class OffsetsCommitted(LifecycleEvent):
    group: str
    offsets: tuple[tuple[str, int, int], ...]
    """Topic, partition, and the offset of the next record to read."""


@attrs.frozen(kw_only=True)
class EmittedEventsLost(LifecycleEvent):
    """
    What receivers emitted before a worker stopped is neither in Kafka nor in the outbox. The last offsets are not
    committed: the records come again, and with them these events.
    """

    group: str
    count: int
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen(kw_only=True)
class CommitFailed(LifecycleEvent):
    """Offsets were not committed; they are tried again as long as the partitions are ours."""

    group: str
    partitions: tuple[tuple[str, int], ...]
    lost: bool
    """The partitions belong to another member by now: what was done since the last commit comes again there."""
    error: Exception


@attrs.frozen(kw_only=True)
class ReadinessChanged(LifecycleEvent):
    """What keeps a worker from being ready has changed."""

    ready: bool
    reasons: tuple[str, ...]


@attrs.frozen(kw_only=True)
class OffsetsMoved(LifecycleEvent):
    """Partitions begin where a time says, as the worker was told; they do so once."""

    group: str
    time: str
    offsets: tuple[tuple[str, int, int], ...]
    """Topic, partition, and the offset of the next record to read."""


@attrs.frozen(kw_only=True)
class OffsetsLost(LifecycleEvent):
    """
    The offset that the group was to read next is not there: before ``start``, records were deleted unread; beyond it,
    the topic was made anew, or Kafka lost its end.
    """

    group: str
    topic: str
    partition: int
    offset: int
    start: int
    """The first offset that the partition has, and ``end`` the one behind its last."""
    end: int
    to: int
    """Where the group goes on."""


@attrs.frozen(kw_only=True)
class WorkerStarted(LifecycleEvent):
    name: str


@attrs.frozen(kw_only=True)
class WorkerStopping(LifecycleEvent):
    name: str
    reason: str


@attrs.frozen(kw_only=True)
class WorkerStopped(LifecycleEvent):
    name: str
    exit_code: int
    reason: str


# Servers


@attrs.frozen(kw_only=True)
class ClientErrorReported(LifecycleEvent):
    """The Kafka client reported trouble; it goes on trying by itself unless the error is fatal."""

    client: str
    """``producer`` or ``consumer``."""
    error: Exception
    code: str
    kind: str
    """A value of :class:`~event_bus_kafka.trouble.Trouble`."""
    fatal: bool


@attrs.frozen(kw_only=True)
class ProducerStatistics(LifecycleEvent):
    """The state of a producer's client, as often as the option ``statistics.interval.ms`` says; without it never."""

    queued: int
    """Records that wait for Kafka's confirmation, or whose report waits to be handed out."""
    queued_bytes: int
    sent: int
    """Records since the client was made, repetitions too."""
    brokers: int
    """Known ones."""
    brokers_up: int


CONNECTED = "connected"


@attrs.frozen(kw_only=True)
class ConnectionChanged(LifecycleEvent):
    """A consumer's connection to Kafka is another than before: told once per change, however often it is retried."""

    client: str
    state: str
    """``connected``, ``unreachable`` or ``unauthenticated``."""
    reason: str
    """What Kafka or its client said; empty where it is connected."""


@attrs.frozen(kw_only=True)
class RegistryFailed(LifecycleEvent):
    """The schema registry refused a request or did not answer."""

    error: Exception
    retriable: bool


def all_lifecycle_events() -> list[type[LifecycleEvent]]:
    """Return the list, in the order above."""
    return [value for value in globals().values() if isinstance(value, type) and value.__base__ is LifecycleEvent]
