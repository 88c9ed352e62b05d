"""Helpers for tests of the scheduler: functions that create records, and a function that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching.outcomes import Outcome
from event_bus_kafka.wire.records import ConsumerRecord


def record(offset: int, key: bytes | None = b"k", partition: int = 0) -> ConsumerRecord:
    return ConsumerRecord(topic="t", partition=partition, offset=offset, timestamp=None, key=key, value=b"", headers=())


def submit(scheduler: Scheduler, partition: PartitionProgress, *records: ConsumerRecord) -> list[Delivery]:
    deliveries = [partition.take(one) for one in records]
    for delivery in deliveries:
        scheduler.submit(delivery)
    return deliveries


def until(condition: Callable[[], bool], scheduler: Scheduler | None = None) -> None:
    """Wait until a condition holds, and call the scheduler's ``tick`` meanwhile. Fail the test after ten seconds."""
    deadline = monotonic() + 10
    while not condition():
        assert monotonic() < deadline, "waited 10 s in vain"
        if scheduler:
            scheduler.tick()
        sleep(0.002)


@contextmanager
def scheduling(process: Callable[[Delivery], Outcome], lanes: int = 1) -> Iterator[Scheduler]:
    scheduler = Scheduler(process, lanes=lanes)
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.stop()
        for lane in scheduler.lanes:
            lane.join(5)
