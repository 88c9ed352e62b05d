"""
The closed list of lifecycle events.

They carry coordinates, types and errors, never event data: whatever is here may be logged.
"""

from __future__ import annotations

import attrs

from event_bus_kafka.values import value


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
class EventUndelivered(LifecycleEvent):
    """An event was not confirmed by Kafka and is given up."""

    topic: str
    event_type: str
    event_id: str
    error: Exception


@value
class RecordDelivered(LifecycleEvent):
    """Kafka confirmed a record."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str


# Consuming


@value
class RecordReceived(LifecycleEvent):
    """A record is about to be dispatched for the first time in this assignment."""

    topic: str
    partition: int
    offset: int
    event_type: str
    event_id: str


@value
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
class CommitFailed(LifecycleEvent):
    """Offsets were not committed; they are tried again as long as the partitions are ours."""

    group: str
    error: Exception


@attrs.frozen(kw_only=True)
class ReadinessChanged(LifecycleEvent):
    """What keeps a worker from being ready has changed."""

    ready: bool
    reasons: tuple[str, ...]


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


# Servers


@attrs.frozen(kw_only=True)
class ClientErrorReported(LifecycleEvent):
    """The Kafka client reported trouble; it goes on trying by itself unless the error is fatal."""

    client: str
    """``producer`` or ``consumer``."""
    error: Exception
    code: str
    fatal: bool


@attrs.frozen(kw_only=True)
class RegistryFailed(LifecycleEvent):
    """The schema registry refused a request or did not answer."""

    error: Exception
    retriable: bool


def all_lifecycle_events() -> list[type[LifecycleEvent]]:
    """Return the list, in the order above."""
    return [value for value in globals().values() if isinstance(value, type) and value.__base__ is LifecycleEvent]
