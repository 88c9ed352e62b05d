"""
A hanging receiver is reported once per record, with its stack. The worker is not ready while the receiver hangs (case
C18).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import attrs
import pytest

from event_bus_kafka.consuming.lanes import Lane
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress, Work
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import LifecycleEvent, ReceiverSlow
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.telemetry.logs import LoggingObserver
from event_bus_kafka.worker.slow_receivers import SlowReceivers
from tests.support.received import record


def hang_here(release: threading.Event) -> None:
    release.wait(60)


def begun() -> Delivery:
    delivery = Delivery.of(record(b""), PartitionProgress("t", 0))
    delivery.work = Work(record(b""))
    delivery.work.begin(Receiver(hang_here))
    return delivery


@attrs.define
class Worker:
    """A lane that hangs in a receiver, and the object that watches the lane. `told` contains the lifecycle events."""

    lane: Lane
    release: threading.Event
    now: float = 0.0
    health: Health = attrs.field(factory=Health)
    told: list[LifecycleEvent] = attrs.field(factory=list)
    watch: SlowReceivers = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.watch = SlowReceivers([self.lane], 300, self.health, clock=lambda: self.now)

    def look(self, at: float) -> int:
        """Search for slow receivers at the time ``at``; return the number of reports so far."""
        self.now = at
        self.watch.look()
        return len(self.told)


@pytest.fixture
def worker() -> Iterator[Worker]:
    release, entered = threading.Event(), threading.Event()

    def turn(lane: Lane) -> bool:
        lane.running = begun()
        entered.set()
        hang_here(release)
        lane.running = None
        return False

    lane = Lane(1, turn)
    worker = Worker(lane, release)
    observe(worker.told.append, ReceiverSlow)
    lane.start()
    assert entered.wait(20)
    yield worker
    release.set()
    lane.join(20)
    unobserve(worker.told.append)


def test_c18_a_slow_receiver_is_logged_in_one_line_with_name_record_and_stack(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    observe(log := LoggingObserver(audit=lambda: True), ReceiverSlow)
    try:
        assert [worker.look(at) for at in (0, 100, 299)] == [0, 0, 0]
        assert [worker.look(at) for at in (300, 305, 1000)] == [1, 1, 1]
    finally:
        unobserve(log)
    (line,) = {one.getMessage() for one in caplog.records if one.levelno == logging.ERROR}  # others may observe as well
    assert "test_slow_receivers.hang_here has been running for 300 s, for record t:0:0" in line
    assert "test_slow_receivers.py" in line
    assert "in hang_here" in line
    assert "\n" not in line


def test_c18_the_worker_is_not_ready_until_a_slow_receiver_ends(worker: Worker) -> None:
    worker.look(0)
    assert worker.health.is_ready
    worker.look(300)
    assert worker.health.reasons == (f"slow receiver: {__name__}.hang_here",)
    worker.release.set()
    worker.lane.join(20)
    worker.look(305)
    assert worker.health.is_ready


def test_a_lane_that_makes_progress_is_not_reported_as_slow(worker: Worker) -> None:
    work = worker.lane.running.work if worker.lane.running else None
    assert work is not None
    for at in range(0, 3000, 100):
        work.past = attrs.evolve(work.past)  # a retry is another attempt
        assert worker.look(at) == 0
    for at in range(3000, 6000, 100):
        worker.lane.running = begun()
        assert worker.look(at) == 0


def test_a_second_attempt_that_hangs_makes_the_worker_unready_and_is_not_reported_again(worker: Worker) -> None:
    worker.look(0)
    assert worker.look(300) == 1
    assert worker.lane.running is not None
    assert worker.lane.running.work is not None
    worker.lane.running.work.past = attrs.evolve(worker.lane.running.work.past)
    worker.look(400)
    assert worker.look(700) == 1
    assert not worker.health.is_ready
