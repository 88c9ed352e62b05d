"""A worker commits nothing of what led to events that are lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching.outcomes import DONE, Outcome
from event_bus_kafka.errors import WorkerFailed
from event_bus_kafka.kafka.consumer import AssignmentListener
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.kafka.positions import AssignedPositions
from event_bus_kafka.telemetry import bus, emit
from event_bus_kafka.telemetry.events import EventUndelivered
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.wire.records import ConsumerRecord
from tests.unit.consuming.scheduling import record

LOST = EventUndelivered(topic="t", event_type="e", event_id="1", error=OSError(), obstacle=OSError())
LIMITS = Limits(
    window_records=10,
    window_bytes=10_000,
    commit_interval=3600.0,
    poll_timeout=0.0,
    failure_sleep=0.0,
    revoke_timeout=0.0,
)


class OneRecord:
    """A client that has one record to read."""

    def __init__(self) -> None:
        self.committed_offsets: dict[Partition, Committed] = {}
        self.closed = False
        self.listener: AssignmentListener
        self._records = [record(0)]
        self.positions = AssignedPositions(None, "earliest")

    def poll(self, _seconds: float, _most: int) -> list[ConsumerRecord]:
        records, self._records = self._records, []
        return records

    def committed(self, partitions: Iterable[Partition], *, timeout: float) -> dict[Partition, Committed]:
        return {name: Committed(0) for name in partitions}

    def offsets_at(self, _partitions: list[Partition], _time: int, *, timeout: float) -> dict[Partition, int | None]:
        return {}

    def commit(self, offsets: dict[Partition, Committed]) -> None:
        self.committed_offsets.update(offsets)

    def close(self) -> None:
        self.closed = True
        self.listener.revoked([("t", 0)])


def consumer_of(client: OneRecord, process: Callable[[Any], Outcome], **options: Any) -> Consumer:
    """Return a consumer that has the client's partition, and reads its record in its first step."""

    def connect(listener: AssignmentListener) -> Any:
        client.listener = listener
        return client

    scheduler = Scheduler(process, lanes=1)
    consumer = Consumer(
        group="g",
        connect=connect,
        scheduler=scheduler,
        error_limit=ErrorLimit(),
        limits=LIMITS,
        health=Health(),
        pause=lambda _: None,
        **options,
    )
    scheduler.start()
    client.listener.assigned([("t", 0)])
    return consumer


@pytest.mark.parametrize("loses", ["in a receiver", "in the flush", "the flush itself", "nothing"])
def test_what_is_lost_at_any_moment_of_a_stop_keeps_the_worker_from_committing(loses: str) -> None:
    client, stopping = OneRecord(), [False]
    started, goes_on = threading.Event(), threading.Event()
    observers = bus._observers

    def process(_: Any) -> Outcome:
        started.set()
        assert goes_on.wait(60)
        if loses == "in a receiver":
            emit(LOST)
        return DONE

    def clock() -> float:
        if stopping[0]:
            goes_on.set()
        return 0.0

    def flush(_: float) -> None:
        if loses == "in the flush":
            emit(LOST)
        if loses == "the flush itself":
            raise OSError("no flush")

    consumer = consumer_of(client, process, flush=flush, clock=clock)
    consumer.step()
    assert started.wait(60)
    stopping[0] = True
    if loses == "the flush itself":
        with pytest.raises(OSError, match="no flush"):
            consumer.stop(timeout=60)
    else:
        assert consumer.stop(timeout=60) == (0 if loses == "nothing" else 1)
    assert client.closed
    assert bus._observers == observers, "it would keep each lost event for ever"
    assert bool(client.committed_offsets) == (loses == "nothing")


def test_a_step_ends_a_worker_whose_receiver_lost_an_event_before_it_commits() -> None:
    client, lost = OneRecord(), threading.Event()

    def process(_: Any) -> Outcome:
        emit(LOST)
        lost.set()
        return DONE

    times = iter([0.0])
    consumer = consumer_of(client, process, clock=lambda: next(times, 2 * LIMITS.commit_interval))
    consumer.step()  # a commit is due in each
    assert lost.wait(60)
    with pytest.raises(WorkerFailed) as failed:
        consumer.step()
    assert failed.value.exit_code == 2
    assert consumer.stop(timeout=60) == 1
    assert not client.committed_offsets


def test_a_partition_that_moves_away_is_not_committed_after_a_loss() -> None:
    client, lost = OneRecord(), threading.Event()

    def process(_: Any) -> Outcome:
        emit(LOST)
        lost.set()
        return DONE

    consumer = consumer_of(client, process)
    consumer.step()
    assert lost.wait(60)
    client.listener.revoked([("t", 0)])
    with suppress(WorkerFailed):
        consumer.step()
    consumer.stop(timeout=60)
    assert not client.committed_offsets
