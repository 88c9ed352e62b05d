"""Every assignment begins with nothing, whatever the client hands out of the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching.outcomes import DONE, Hold, Outcome
from event_bus_kafka.kafka.offsets import Committed
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.wire.records import ConsumerRecord
from tests.unit.consuming.clients import Client
from tests.unit.consuming.scheduling import record, until

NAME = ("t", 0)


class TenRecords(Client):
    """A partition of ten records, each with a key of its own, which is read one by one, up to ``end``."""

    position, end = 0, 5
    during_poll: Callable[[], None] | None = None
    """Called between the first record of a poll and the rest."""

    def poll(self, _seconds: float, _most: int) -> list[ConsumerRecord]:
        if self.positions.waiting:
            return []
        if self.positions.started:
            self.position = self.positions.started.pop()[NAME]
        if self.position == self.end:
            return []
        offset, self.position = self.position, self.position + 1
        if self.during_poll:
            self.during_poll()
            self.during_poll = None
        return [record(offset, key=b"%d" % offset)]

    def move(self) -> None:
        self.revoke(NAME)
        self.assign(NAME)


def test_a_record_that_a_poll_took_before_its_partition_was_revoked_and_assigned_again_passes_for_none() -> None:
    """Case C1. It would count as read, and all before it: what comes again would be dropped, and committed."""
    client, seen, is_failing = TenRecords(), list[int](), True
    client.kept[NAME] = Committed(0)

    def process(delivery: Any) -> Outcome:
        if delivery.record.offset == 2 and is_failing:
            return Hold(ValueError(), 3600.0)  # it comes again with its partition only
        seen.append(delivery.record.offset)
        return DONE

    scheduler = Scheduler(process, lanes=1)
    consumer = Consumer(
        group="g",
        connect=client,
        scheduler=scheduler,
        error_limit=ErrorLimit(),
        limits=Limits(
            window_records=100,
            window_bytes=10**6,
            commit_interval=0.0,
            poll_timeout=0.0,
            failure_sleep=0.0,
            revoke_timeout=60.0,
        ),
        health=Health(),
    )
    scheduler.start()
    client.assign(NAME)

    def until_done(*offsets: int) -> None:
        def is_done() -> bool:
            consumer.step()
            return {*seen} == {*offsets}

        until(is_done)

    until_done(0, 1, 3, 4)
    client.during_poll, client.end, is_failing = client.move, 10, False
    until_done(*range(10))
    consumer.stop(timeout=60)
    assert client.kept[NAME].offset == 10
