"""Clients by hand: what the consumer takes for Kafka's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.consumer import AssignmentListener
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.wire.records import ConsumerRecord


class Positions:
    """The assigned partitions of a client, all of which begin at 0."""

    initial_offset = 0
    begins_at_end = False

    def __init__(self) -> None:
        self.waiting: dict[Partition, int | None] = {}
        self.started: list[Mapping[Partition, int]] = []

    def start(self, offsets: Mapping[Partition, int], reading: Mapping[Partition, int]) -> None:
        self.started.append(offsets)
        for name in offsets:
            self.waiting.pop(name, None)


class Client:
    """A client whose group has committed what it remembers, and nothing at first; there is nothing to read."""

    def __init__(self) -> None:
        self.positions = Positions()
        self.kept: dict[Partition, Committed] = {}
        self.paused: set[Partition] = set()
        self.listener: AssignmentListener
        self.closed = False

    def __call__(self, listener: AssignmentListener) -> Any:
        """Take the place of the function that connects."""
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

    def committed(self, partitions: Iterable[Partition], *, timeout: float) -> dict[Partition, Committed]:
        return {name: self.kept[name] for name in partitions if name in self.kept}

    def offsets_at(self, _partitions: Iterable[Partition], _time: int, *, timeout: float) -> dict[Partition, int]:
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
