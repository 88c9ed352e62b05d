"""If the receivers of a record emitted an event that was lost, the worker does not commit the offset of this record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.dispatching.outcomes import DONE, Outcome
from event_bus_kafka.errors import WorkerFailed
from event_bus_kafka.telemetry import bus, emit
from event_bus_kafka.telemetry.events import EventUndelivered
from event_bus_kafka.wire.records import ConsumerRecord
from tests.unit.consuming.clients import Client, running
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


class OneRecord(Client):
    """A client with one record."""

    def __init__(self) -> None:
        super().__init__()
        self._records = [record(0)]

    def poll(self, _seconds: float, _most: int) -> list[ConsumerRecord]:
        if self.positions.waiting:
            return []
        records, self._records = self._records, []
        return records

    def close(self) -> None:
        super().close()
        self.revoke(("t", 0))


def consumer_of(client: OneRecord, process: Callable[[Any], Outcome], **options: Any) -> Consumer:
    """Return a consumer with the client's partition. The next step of the consumer reads the only record."""
    consumer = running(client, process, LIMITS, pause=lambda _: None, **options)
    client.assign(("t", 0))
    consumer.step()
    return consumer


@pytest.mark.parametrize("loses", ["in a receiver", "in the flush", "the flush itself", "nothing"])
def test_a_stopping_worker_commits_its_offset_only_if_no_event_is_lost_and_the_flush_succeeds(loses: str) -> None:
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
    assert bus._observers == observers, "an observer that stays would keep each lost event for ever"
    assert bool(client.kept) == (loses == "nothing")


def test_a_worker_ends_without_a_commit_if_an_event_that_a_receiver_emitted_was_lost() -> None:
    client, lost = OneRecord(), threading.Event()

    def process(_: Any) -> Outcome:
        emit(LOST)
        lost.set()
        return DONE

    times = iter([0.0])
    consumer = consumer_of(client, process, clock=lambda: next(times, 2 * LIMITS.commit_interval))
    consumer.step()  # a commit is due in each step
    assert lost.wait(60)
    with pytest.raises(WorkerFailed) as failed:
        consumer.step()
    assert failed.value.exit_code == 2
    assert consumer.stop(timeout=60) == 1
    assert not client.kept


def test_a_revoked_partition_is_not_committed_after_an_event_was_lost() -> None:
    client, lost = OneRecord(), threading.Event()

    def process(_: Any) -> Outcome:
        emit(LOST)
        lost.set()
        return DONE

    consumer = consumer_of(client, process)
    consumer.step()
    assert lost.wait(60)
    client.revoke(("t", 0))
    with suppress(WorkerFailed):
        consumer.step()
    consumer.stop(timeout=60)
    assert not client.kept
