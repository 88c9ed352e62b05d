"""
The state of the workers and relays of this process, as values: for scrapes, heartbeats and other readers in other
threads. Asking for one never waits for a server, nor for the polling thread. A change that happens meanwhile may be
half included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import attrs


@attrs.frozen(kw_only=True)
class PartitionState:
    """An assigned partition that is being read."""

    topic: str
    """Full name."""
    partition: int
    committed: int | None
    """The offset that the group has committed; None: none yet."""
    position: int | None
    """The offset of the first record that is not done; None: none was read or committed yet."""
    end: int | None
    """The offset after the last record, as far as librdkafka had heard a second ago; None: it had heard nothing."""
    lag: int | None
    """``end`` less ``position``, in offsets; None where one of them is not known."""
    lag_age: float | None
    """Seconds since the timestamp of the first record that is read and not done; None: there is none."""
    window_fill: float
    """Share of the records that may be read and not committed, 0 to 1."""
    full_because: str
    """The record for which a full window waits; empty while it moves, or is not full."""


@attrs.frozen(kw_only=True)
class SlowReceiver:
    """A receiver that has run for longer than EVENT_BUS_KAFKA_SLOW_RECEIVER, and goes on."""

    receiver: str
    seconds: float
    topic: str
    partition: int
    offset: int
    stack: str
    """Its call stack in one line, the innermost place first: places in the code, no values."""


@attrs.frozen(kw_only=True)
class Replaying:
    """A replay request that a worker has."""

    request: int
    done: int
    """Dead letters, records or batches of items that had their turn since the worker went on with it last."""
    running: int
    """Those that run."""
    holds: int = 0
    """Times in a row that it was held, as a server is away, since one had its turn last."""


@attrs.frozen(kw_only=True)
class ConsumerState:
    """A worker that consumes."""

    group: str
    topics: tuple[str, ...]
    """Full names of the topics it subscribes to."""
    partitions: tuple[PartitionState, ...]
    in_flight: int
    """Records that are read and not done, or wait for one before them."""
    retries_waiting: int
    """Keys whose first record waits for its next attempt, held ones included."""
    held_keys: int
    """Waiting keys whose last attempt did not count: a server is away, a circuit open, a flood held."""
    lanes: int
    lanes_awake: int
    open_circuits: tuple[str, ...]
    """Names of receivers."""
    paused_receivers: tuple[str, ...]
    """Empty also if they could never be read."""
    flooded: tuple[tuple[str, int], ...]
    """Topic and partition where a dead letter is held, because the partition had too many in a row."""
    slow_receivers: tuple[SlowReceiver, ...]
    obstacles: tuple[str, ...]
    """Why the worker is not ready, as :class:`~event_bus_kafka.telemetry.health.Health` has it; empty: it is."""
    is_alive: bool
    """Whether the polling thread turns."""
    replaying: Replaying | None = None
    """None: it has no replay request."""
    receivers: tuple[str, ...] | None = None
    """Names of the receivers that this process has, in order; None: not known, as they are too many to list."""
    takes_runs: bool = True
    """Whether it takes requests to replay topics and to backfill: versions before do not."""


@attrs.frozen(kw_only=True)
class HeldTopic:
    """A topic that takes no records at present."""

    topic: str
    seconds: float
    """Time since it was first held, without taking a record since."""
    reason: str
    """The text of an error of ours, the type alone of others."""


@attrs.frozen(kw_only=True)
class RelayState:
    """A relay, and the outbox that it works off."""

    database: str
    """The alias."""
    depth: Mapping[str, int]
    """Rows that wait, by the full name of their topic, of the first 100,000 that the database finds."""
    oldest_age: float | None
    """Seconds since the oldest row was written; None: none waits."""
    parked: int
    held_topics: tuple[HeldTopic, ...]
    obstacles: tuple[str, ...]
    """Why the last step sent nothing although it should have; empty: it did not fail."""
    is_alive: bool
    """Whether the relay's thread turns."""


class RelaySource(Protocol):
    """Tells the state of a relay."""

    @property
    def database(self) -> str:
        """The alias."""

    def read(self, connection: Any) -> RelayState:
        """
        Look, by statements on a Django ``connection`` of the calling thread, in autocommit, to the relay's database.
        Raises a database error.
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
        The state that was read last, with the topics that are held now; it is had without a database. None: nothing was
        read.
        """


ConsumerSource = Callable[[], ConsumerState]


class Running:
    """The workers and relays that run in this process, for modules that report on them. Any thread may ask."""

    def __init__(self) -> None:
        self.consumers: tuple[ConsumerSource, ...] = ()
        self.relays: tuple[RelaySource, ...] = ()
        self.spill: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Returns how many events wait in memory for an outbox, and how many bytes they take."""

        self.neglects: Callable[[], Mapping[str, int]] = dict
        """Returns how many neglects of each kind were found last; empty: nobody has looked."""
        self.remarks: Callable[[], tuple[str, ...]] = tuple
        """Returns additional lines for ``/ready``, which do not make the process unready."""

    @contextmanager
    def consumer(self, source: ConsumerSource) -> Iterator[None]:
        """Have ``source`` among :attr:`consumers` for the time of the block."""
        self.consumers = (*self.consumers, source)
        try:
            yield
        finally:
            self.consumers = tuple(one for one in self.consumers if one is not source)

    @contextmanager
    def relay(self, source: RelaySource) -> Iterator[None]:
        """Have ``source`` among :attr:`relays` for the time of the block."""
        self.relays = (*self.relays, source)
        try:
            yield
        finally:
            self.relays = tuple(one for one in self.relays if one is not source)


running = Running()
