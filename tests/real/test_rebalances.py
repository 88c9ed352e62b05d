"""Members join, stop and are killed at random while unread records exist, with each of Kafka's assignment protocols."""

from __future__ import annotations

from random import Random
from time import sleep
from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.support.order import assert_first_in_order, each_protocol, event, numbered
from tests.support.scale import scaled
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real

_USERS = list(range(64))
_MOST_MEMBERS = 3
_AHEAD = (100, 1_000_000)
"""
Two limits for the number of records that librdkafka reads ahead. With the low limit, polls and rebalances often
coincide. With the high limit, all records are read ahead.
"""


class Crew:
    """The members of a group, and the output of current and former members."""

    def __init__(self, bus: RealBus, topic: str, group: str, options: dict[str, Any]) -> None:
        self._bus, self._topic, self._group, self._options = bus, topic, group, options
        self._random = Random(group)
        self._present: list[ServiceProcess] = []
        self._gone: list[ServiceProcess] = []
        self._read: dict[ServiceProcess, int] = {}
        self._events: set[tuple[int, int]] = set()

    def change(self) -> None:
        """Add, stop or kill a member. At least one member remains."""
        least = len(self._present) < 2
        if least or (len(self._present) < _MOST_MEMBERS and self._random.random() < 0.5):
            self.add()
        else:
            leaving = self._present.pop(self._random.randrange(len(self._present)))
            self._gone.append(leaving)
            if self._random.random() < 0.4:
                leaving.kill()
            else:
                assert leaving.stop() == 0, leaving.log

    def add(self) -> None:
        """Add a member, and wait until it is assigned partitions."""
        options = self._options | {"queued.min.messages": self._random.choice(_AHEAD)}
        changes = {"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": options}
        seconds = {"SECONDS": str(scaled(5, long=10) / 1000)}
        member = worker(self._bus, self._topic, self._group, "trouble.endure", seconds, lanes=4, **changes)
        self._present.append(member)
        member.wait_for_log(f"assigned: {self._topic}")

    def end(self) -> None:
        """Stop all members."""
        while self._present:
            self._gone.append(self._present.pop())
            assert self._gone[-1].stop() == 0, self._gone[-1].log

    def wait_for(self, count: int, seconds: float) -> None:
        """Wait until `count` events are processed. Fail after `seconds`."""
        self._present[0].wait_for(lambda: len(self.done()) == count, f"for {count} events", seconds=seconds)

    def done(self) -> set[tuple[int, int]]:
        for process in (*self._gone, *self._present):
            lines = process.said[self._read.get(process, 0) :]
            self._read[process] = self._read.get(process, 0) + len(lines)
            self._events |= {event(line) for line in lines if line["what"] == "ends"}
        return self._events

    @property
    def said(self) -> list[dict[str, Any]]:
        return [line for process in (*self._gone, *self._present) for line in process.said]

    @property
    def rebalances(self) -> int:
        return sum(process.log.count("partitions assigned") for process in (*self._gone, *self._present))

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self._present, *self._gone):
            process.__exit__(None, None, None)


@pytest.mark.long
@pytest.mark.timeout(3600)
@each_protocol
def test_c1_every_event_is_processed_in_order_during_random_rebalances(
    bus: RealBus, group: str, options: dict[str, Any]
) -> None:
    topic, each = f"rebalanced-{group}", scaled(10, long=1_050)
    bus.create_topic(topic, 6)
    send(bus, topic, *numbered(_USERS, each))
    with Crew(bus, topic, group, options) as crew:
        crew.add()
        for _ in range(scaled(2, long=67)):
            crew.change()
            sleep(scaled(0, long=1))
        crew.wait_for(len(_USERS) * each, seconds=scaled(90, long=900))
        crew.end()
    ends = sum(line["what"] == "ends" for line in crew.said)
    print(f"{crew.rebalances} assignments, {ends} times an event was done, {ends - len(_USERS) * each} again")
    assert_first_in_order(crew.said, _USERS, each)
