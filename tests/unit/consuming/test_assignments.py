"""
A partition that is assigned again starts without records. Records of its earlier assignment are ignored, even if the
client still returns them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from event_bus_kafka.dispatching.outcomes import DONE, Hold, Outcome
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.telemetry.events import ClientErrorReported
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.wire.records import ConsumerRecord
from tests.support.watching import watched
from tests.unit.consuming.clients import Client, running
from tests.unit.consuming.scheduling import record, until

NAME = ("t", 0)


class TenRecords(Client):
    """
    A client of a partition with ten records. Each record has a different key. The client returns one record per poll,
    as long as its offset is below ``end``.
    """

    position, end = 0, 5
    during_poll: Callable[[], None] | None = None
    """A function that the client calls once in the middle of a poll."""

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


def test_c1_a_record_is_ignored_if_it_was_polled_before_a_reassignment() -> None:
    """
    If the record counted as read, all records before it would also count as read. Their offsets would be committed
    although the records were not processed.
    """
    client, seen, is_failing = TenRecords(), list[int](), True
    client.kept[NAME] = Committed(0)

    def process(delivery: Any) -> Outcome:
        if delivery.record.offset == 2 and is_failing:
            return Hold(ValueError(), 3600.0)  # it is returned again only with its partition
        seen.append(delivery.record.offset)
        return DONE

    consumer = running(client, process)
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


class OneRefused(Client):
    """A client that at first cannot look up the committed offset of the topic ``r``."""

    is_refused, asked = True, 0

    def committed_each(
        self, partitions: Iterable[Partition], *, timeout: float
    ) -> tuple[dict[Partition, Committed], dict[Partition, BrokerError]]:
        self.asked += 1
        found, _ = super().committed_each(partitions, timeout=timeout)
        names = [name for name in partitions if name[0] == "r" and self.is_refused]
        return found, {name: BrokerError("TOPIC_AUTHORIZATION_FAILED", "no") for name in names}


def test_the_failed_start_of_one_partition_does_not_prevent_the_start_of_other_partitions() -> None:
    client, health, now = OneRefused(), Health(), [0.0]
    consumer = running(client, lambda _: DONE, health=health, clock=lambda: now[0])
    client.assign(("r", 0), NAME)
    with watched(ClientErrorReported) as told:
        consumer.step()
    assert [one.code for one in told] == ["TOPIC_AUTHORIZATION_FAILED"]
    assert client.positions.started == [{NAME: 0}]
    assert health.reasons == ("not started: r[0]",)
    for _ in range(5):
        consumer.step()
    assert client.asked == 1
    now[0], client.is_refused = 1.0, False
    consumer.step()
    assert client.positions.started == [{NAME: 0}, {("r", 0): 0}]
    assert health.is_ready
    consumer.stop(timeout=0)
