"""
Members of consumer groups. Each member records its assignments. Helpers produce records and collect the errors of
clients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from time import monotonic
from types import TracebackType
from typing import Any

from event_bus_kafka.errors import DeliveryFailed
from event_bus_kafka.kafka.consumer import AssignmentListener, ConsumerClient
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.kafka.producer import Delivered, Producer
from event_bus_kafka.telemetry.events import ClientErrorReported
from event_bus_kafka.wire.records import ConsumerRecord, Headers, ProducerRecord
from tests.services.bus import Bus
from tests.support.watching import watched

SECONDS = 30


class Member:
    """A member of a group. It records all calls of its assignment listener."""

    def __init__(self, bus: Bus, group: str, topics: Iterable[str], /, **options: Any) -> None:
        self.assigned: list[list[Partition]] = []
        self.revoked: list[list[Partition]] = []
        self.lost: list[list[Partition]] = []
        self.records: list[ConsumerRecord] = []
        self.commits_when_revoked: dict[Partition, Committed] = {}
        own = {
            "bootstrap.servers": bus.bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 500,
            "topic.metadata.refresh.interval.ms": 500,
        }
        listener = AssignmentListener(assigned=self.assigned.append, revoked=self._revoke, lost=self.lost.append)
        self.client = ConsumerClient(own | options, topics, listener)
        self._next: dict[Partition, int] = {}

    def __enter__(self) -> Member:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def poll(self, seconds: float) -> list[ConsumerRecord]:
        """
        Poll once. Start newly assigned partitions at their committed offsets. If a partition has no committed offset,
        start it where a new group starts.
        """
        records = self.client.poll(seconds)
        self._next |= {(each.topic, each.partition): each.offset + 1 for each in records}
        if waiting := [*self.client.positions.waiting]:
            committed = self.client.committed(waiting, timeout=SECONDS)
            self.start(
                {
                    name: committed[name].offset
                    if name in committed
                    else self.client.initial_offset(name, timeout=SECONDS)
                    for name in waiting
                }
            )
        return records

    def start(self, offsets: dict[Partition, int]) -> None:
        """Start reading each of these partitions at the given offset."""
        positions = self.client.positions
        self._next |= offsets
        reading = {name: offset for name, offset in self._next.items() if name in positions.assigned}
        positions.start(offsets, reading)

    def poll_until(self, condition: Callable[[], object], *others: Member) -> None:
        """Poll this member and ``others`` until ``condition`` holds."""
        deadline = monotonic() + SECONDS
        while not condition():
            assert monotonic() < deadline, "the condition did not become true in time"
            for member in (self, *others):
                member.records += member.poll(0.1)

    def poll_records(self, count: int) -> list[ConsumerRecord]:
        """Poll until ``count`` records are read; return all records that were read."""
        self.poll_until(lambda: len(self.records) >= count)
        return self.records

    def poll_assignment(self, *others: Member) -> None:
        """Poll this member and ``others`` until partitions are assigned to this member."""
        self.poll_until(lambda: self.assigned, *others)

    def _revoke(self, partitions: list[Partition]) -> None:
        self.revoked.append(partitions)
        if self.commits_when_revoked:
            self.client.commit(self.commits_when_revoked)


def record(topic: str, value: bytes | None = b"value", *, key: bytes = b"key", headers: Headers = ()) -> ProducerRecord:
    return ProducerRecord(topic=topic, key=key, value=value, headers=headers)


def produced(bus: Bus, *records: ProducerRecord, **options: Any) -> list[Delivered | DeliveryFailed]:
    """Produce records; return the delivery report of each record."""
    reports: list[Delivered | DeliveryFailed] = []
    producer = Producer({"bootstrap.servers": bus.bootstrap_servers, "enable.idempotence": True} | options)
    for each in records:
        producer.produce(each, reports.append)
    assert producer.flush(SECONDS) == 0
    return reports


def client_errors() -> AbstractContextManager[list[Any]]:
    """Collect the errors that Kafka clients report while the block runs."""
    return watched(ClientErrorReported)
