"""A worker stops reading while 500 records wait for its lanes. When fewer records wait, it reads again."""

from __future__ import annotations

from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching.outcomes import DONE
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.wire.records import ConsumerRecord
from tests.unit.consuming.clients import Client
from tests.unit.consuming.scheduling import record, until

_BATCH = 100


class EndlessTopic(Client):
    """A client of a topic with endless records. Each record has a different key."""

    read = 0

    def poll(self, _seconds: float, most: int) -> list[ConsumerRecord]:
        if self.positions.waiting:
            return []
        first, self.read = self.read, self.read + min(_BATCH, most)
        return [record(offset, key=b"%d" % offset) for offset in range(first, self.read)]


def test_the_consumer_stops_reading_when_500_records_wait_for_the_lanes() -> None:
    topic = EndlessTopic()
    scheduler = Scheduler(lambda _: DONE, lanes=1)
    consumer = Consumer(
        group="g",
        connect=topic,
        scheduler=scheduler,
        error_limit=ErrorLimit(),
        limits=Limits(
            window_records=100_000,
            window_bytes=100_000_000,
            commit_interval=60.0,
            poll_timeout=1.0,
            failure_sleep=0.0,
            revoke_timeout=0.0,
        ),
        health=Health(),
        clock=lambda: 0.0,
        pause=lambda _: None,
    )
    topic.assign(("t", 0))
    for _ in range(50):
        consumer.step()
    read_ahead = topic.read
    scheduler.start()

    def reads_on() -> bool:
        consumer.step()
        return topic.read > read_ahead

    until(reads_on)
    scheduler.stop()
    assert read_ahead == 500
