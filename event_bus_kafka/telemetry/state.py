"""
The state of the workers and relays of this process, as values. Scrapes, heartbeats and other code read the state in
other threads. Reading the state never waits for a server or for the polling thread. The values may be inconsistent with
each other if the state changes during the reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import attrs


@attrs.frozen(kw_only=True)
class PartitionState:
    """The state of a partition that is assigned to this worker."""

    topic: str
    """Full name of the topic."""
    partition: int
    committed: int | None
    """The offset that the group has committed; None if it has committed no offset yet."""
    position: int | None
    """
    The offset of the first record that is not done, or of the next record to read if all are done; None if no record
    was read or committed yet.
    """
    end: int | None
    """
    The offset after the last record, as librdkafka knew it a second ago; None if unknown. It is unknown while Kafka
    does not let this worker read the topic.
    """
    lag: int | None
    """``end`` minus ``position``; None if one of them is None."""
    lag_age: float | None
    """
    Age in seconds of the first record that is read and not done, according to the record's timestamp; None if there is
    no such record, or if it has no timestamp.
    """
    window_fill: float
    """Number of records that are read and not committed, divided by the window's size: 0 to 1."""
    full_because: str
    """
    Coordinates of the record that has kept the window full for several seconds; ``its commit`` if all records in the
    window are done; empty if the window has room, or is full only for a moment.
    """
    attempts: int = 0
    """Number of failed attempts at the first record that is read and not done; 0 if there is no such record."""
    receivers: tuple[str, ...] = ()
    """
    Names of the receivers that the next attempt has to call. The attempt is for the first record that is read and not
    done. Empty if there is no such record, or if no attempt has reached its receivers yet.
    """


@attrs.frozen(kw_only=True)
class SlowReceiver:
    """A receiver that has run for longer than EVENT_BUS_KAFKA_SLOW_RECEIVER and still runs."""

    receiver: str
    seconds: float
    topic: str
    partition: int
    offset: int
    stack: str
    """
    The receiver's call stack in one line, with the innermost frame first. It contains places in the code, without
    values.
    """


@attrs.frozen(kw_only=True)
class Replaying:
    """A replay request that a worker runs."""

    request: int
    done: int
    """
    Number of dead letters, records or batches of items processed since this worker took the request, or since the last
    hold.
    """
    running: int
    """Number of dead letters, records or batches that this worker is processing now."""
    holds: int = 0
    """
    Number of holds since a dead letter, record or batch was last processed. The worker holds a request while a server
    is unavailable.
    """


@attrs.frozen(kw_only=True)
class ConsumerState:
    """The state of a worker that consumes."""

    group: str
    topics: tuple[str, ...]
    """Full names of the subscribed topics."""
    partitions: tuple[PartitionState, ...]
    in_flight: int
    """Number of records that were read and are not done, plus the done records that follow them in their partition."""
    retries_waiting: int
    """Number of keys whose first record waits for its next attempt, including held records."""
    held_keys: int
    """
    Number of waiting keys whose first record is held, for example because of an outage, an open circuit or a flood.
    """
    lanes: int
    lanes_awake: int
    open_circuits: tuple[str, ...]
    """Names of receivers whose circuit is open."""
    paused_receivers: tuple[str, ...]
    """Names of paused receivers; also empty if the names could never be read."""
    flooded: tuple[tuple[str, int], ...]
    """
    Topic and number of each partition in which a record is held because the partition had too many dead letters in a
    row.
    """
    slow_receivers: tuple[SlowReceiver, ...]
    obstacles: tuple[str, ...]
    """
    The reasons why the worker is not ready, see :class:`~event_bus_kafka.telemetry.health.Health`; empty if it is
    ready.
    """
    is_alive: bool
    """Whether the polling thread is alive."""
    replaying: Replaying | None = None
    """The replay request that the worker runs; None if it runs none."""
    receivers: tuple[str, ...] | None = None
    """Sorted names of the receivers in this process; None: unknown, because there are too many to list."""
    takes_runs: bool = True
    """
    Whether the worker takes requests to replay topics and to backfill. Workers of older versions do not take them.
    """


@attrs.frozen(kw_only=True)
class HeldTopic:
    """A topic that accepts no records at present."""

    topic: str
    seconds: float
    """Seconds since the topic was first held. Since then the topic has accepted no record."""
    reason: str
    """The error that caused the last hold, as text without event data."""


@attrs.frozen(kw_only=True)
class RelayState:
    """The state of a relay and of its outbox."""

    database: str
    """Alias of the database."""
    depth: Mapping[str, int]
    """Number of waiting rows by full topic name. Only the first 100,000 rows are counted."""
    oldest_age: float | None
    """Seconds since the oldest row was written; None if no row waits."""
    parked: int
    held_topics: tuple[HeldTopic, ...]
    obstacles: tuple[str, ...]
    """The reasons why the relay's last step failed; empty if the step succeeded."""
    is_alive: bool
    """Whether the relay's thread is alive."""


class RelaySource(Protocol):
    """Returns the state of a relay."""

    @property
    def database(self) -> str:
        """Alias of the relay's database."""

    def read(self, connection: Any) -> RelayState:
        """
        Query the state on ``connection``: a Django connection of the calling thread to the relay's database, in
        autocommit mode. Raises a database error.
        """

    @property
    def obstacles(self) -> tuple[str, ...]:
        """The ``obstacles`` of :class:`RelayState`."""

    @property
    def is_alive(self) -> bool:
        """The ``is_alive`` of :class:`RelayState`."""

    @property
    def last(self) -> RelayState | None:
        """
        The state that was read last, with the currently held topics. Never queries the database. None if the state was
        not read yet.
        """


ConsumerSource = Callable[[], ConsumerState]


class Running:
    """
    The workers and relays that run in this process. Other modules read their states from this object. Any thread may
    use this object.
    """

    def __init__(self) -> None:
        self.consumers: tuple[ConsumerSource, ...] = ()
        self.relays: tuple[RelaySource, ...] = ()
        self.spill: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Returns the number of events that wait in memory for an outbox, and the number of bytes of these events."""

        self.neglects: Callable[[], Mapping[str, int]] = dict
        """Returns the number of neglects of each kind at the last search; empty before the first search."""
        self.remarks: Callable[[], tuple[str, ...]] = tuple
        """Returns additional lines for ``/ready`` that do not make the process unready."""
        self.health_port: int | None = None
        """The port on which this process answers health checks and scrapes of metrics; None: no port is open."""

    @contextmanager
    def consumer(self, source: ConsumerSource) -> Iterator[None]:
        """Add ``source`` to :attr:`consumers` while the block runs."""
        self.consumers = (*self.consumers, source)
        try:
            yield
        finally:
            self.consumers = tuple(one for one in self.consumers if one is not source)

    @contextmanager
    def relay(self, source: RelaySource) -> Iterator[None]:
        """Add ``source`` to :attr:`relays` while the block runs."""
        self.relays = (*self.relays, source)
        try:
            yield
        finally:
            self.relays = tuple(one for one in self.relays if one is not source)


running = Running()
