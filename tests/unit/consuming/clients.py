"""A Kafka client in memory. Tests control it, and the consumer uses it like the real client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching.outcomes import Outcome
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.consumer import AssignmentListener
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.wire.records import ConsumerRecord

LIMITS = Limits(
    window_records=100,
    window_bytes=10**6,
    commit_interval=0.0,
    poll_timeout=0.0,
    failure_sleep=0.0,
    revoke_timeout=60.0,
)


class Positions:
    """
    The partitions of a client. ``waiting`` contains the assigned partitions that have not started. ``started`` contains
    the offsets of each call of ``start``.
    """

    begins_at_end = False

    def __init__(self) -> None:
        self.waiting: dict[Partition, int | None] = {}
        self.started: list[Mapping[Partition, int]] = []

    def start(self, offsets: Mapping[Partition, int], reading: Mapping[Partition, int]) -> None:
        self.started.append(offsets)
        for name in offsets:
            self.waiting.pop(name, None)


class Client:
    """
    A client that stores the commits of its group in memory. At first the group has committed no offset. Polls return no
    records.
    """

    def __init__(self) -> None:
        self.positions = Positions()
        self.kept: dict[Partition, Committed] = {}
        self.paused: set[Partition] = set()
        self.listener: AssignmentListener
        self.closed = False

    def __call__(self, listener: AssignmentListener) -> Any:
        """Return this client. The consumer calls it in place of the function that connects to Kafka."""
        self.listener = listener
        return self

    def assign(self, *names: Partition) -> None:
        self.positions.waiting |= dict.fromkeys(names)
        self.listener.assigned([*names])

    def revoke(self, *names: Partition) -> None:
        self.listener.revoked([*names])
        for name in names:
            self.positions.waiting.pop(name, None)

    def poll(self, _seconds: float, _most: int) -> list[ConsumerRecord]:
        return []

    def committed_each(
        self, partitions: Iterable[Partition], *, timeout: float
    ) -> tuple[dict[Partition, Committed], dict[Partition, BrokerError]]:
        return {name: self.kept[name] for name in partitions if name in self.kept}, {}

    def initial_offset(self, _partition: Partition, *, timeout: float) -> int:
        return 0

    def offsets_at(self, _partitions: Iterable[Partition], _time: int, *, timeout: float) -> dict[Partition, int]:
        return {}

    def known_ends(self, _partitions: Iterable[Partition]) -> dict[Partition, int]:
        return {}

    def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        self.kept |= offsets

    def commit_each(self, offsets: Mapping[Partition, Committed]) -> dict[Partition, BrokerError]:
        self.commit(offsets)
        return {}

    def pause(self, partitions: Iterable[Partition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self.paused.difference_update(partitions)

    def close(self) -> None:
        self.closed = True


def running(
    client: Client,
    process: Callable[[Any], Outcome],
    limits: Limits = LIMITS,
    *,
    health: Health | None = None,
    **options: Any,
) -> Consumer:
    """Return a consumer that uses the client and has one running lane."""
    scheduler = Scheduler(process, lanes=1)
    scheduler.start()
    return Consumer(
        group="g",
        connect=client,
        scheduler=scheduler,
        error_limit=ErrorLimit(),
        limits=limits,
        health=health or Health(),
        **options,
    )
