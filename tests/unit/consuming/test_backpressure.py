"""
A worker limits the number of records in the window of each partition, and the bytes of the unfinished records of all
partitions together. One half of the byte limit is split into equal shares, one per partition. The other half is common
to all partitions.
"""

from __future__ import annotations

from event_bus_kafka.consuming.backpressure import Backpressure
from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching.outcomes import DONE, Hold, Outcome
from event_bus_kafka.telemetry.events import WindowFull
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.wire.records import ConsumerRecord
from tests.support.watching import watched
from tests.unit.consuming.clients import Client
from tests.unit.consuming.scheduling import record, until

SIZE = record(0, key=b"k" * 60).size


def partitions_with(*counts: int) -> list[PartitionProgress]:
    """Return partitions with the given numbers of unfinished records. Each record has SIZE bytes."""
    partitions = [PartitionProgress("t", number) for number in range(len(counts))]
    for partition, count in zip(partitions, counts, strict=True):
        for offset in range(count):
            partition.take(record(offset, key=b"k" * 60, partition=partition.number))
    return partitions


def full(bytes_of_all: int, partitions: list[PartitionProgress]) -> list[int]:
    """
    Return the numbers of the partitions that are paused after six seconds. ``bytes_of_all`` is the limit of bytes of
    all partitions together.
    """
    now, client = [0.0], Client()
    backpressure = Backpressure("g", 1_000, bytes_of_all, lambda: now[0], Health())
    for now[0] in (0.0, 6.0):
        assert client.paused == set()
        are_full = backpressure.are_full(partitions)
        backpressure.relieve(client, partitions)  # type: ignore[arg-type]
    assert are_full == bool(client.paused)
    assert not backpressure.are_full(partitions)
    return sorted(number for _, number in client.paused)


def test_several_partitions_share_the_byte_limit_that_one_partition_may_use_alone() -> None:
    assert full(8 * SIZE, partitions_with(7)) == []
    assert full(8 * SIZE, partitions_with(8)) == [0]
    assert full(8 * SIZE, partitions_with(4, 4)) == [0, 1]
    assert full(8 * SIZE, partitions_with(4, 3)) == []


def test_a_partition_is_paused_only_if_it_has_used_up_its_share_of_bytes_and_the_share_common_to_all() -> None:
    assert full(8 * SIZE, partitions_with(7, 1)) == [0]
    assert full(8 * SIZE, partitions_with(6, 0)) == [0]
    assert full(8 * SIZE, partitions_with(5, 1)) == []


def test_finished_records_do_not_count_towards_the_limit_of_bytes() -> None:
    partition = PartitionProgress("t", 0)
    first, *others = [partition.take(record(offset, key=b"k" * 60)) for offset in range(4)]
    for delivery in others:
        delivery.finish()
    partition.advance()
    assert (partition.size, partition.held) == (SIZE, 4)
    first.finish()
    partition.advance()
    assert partition.size == 0


def test_a_slow_partition_is_paused_until_half_of_its_window_is_free() -> None:
    """
    If the partition resumed as soon as it had room for one record, the slow key would fill it again, and the worker
    would stop reading the other partitions each time.
    """
    now, client, health = [0.0], Client(), Health()
    backpressure = Backpressure("g", 100, 10**9, lambda: now[0], health)
    slow, other = partitions_with(0, 0)
    in_hand, held_up = list[Delivery](), list[bool]()

    def pass_a_second() -> None:
        now[0] += 1.0
        while not slow.paused and slow.held < 100:
            in_hand.append(slow.take(record(slow.next_offset, key=b"slow")))
        held_up.append(backpressure.are_full([slow, other]))
        backpressure.relieve(client, [slow, other])  # type: ignore[arg-type]
        in_hand.pop(0).finish()
        slow.advance()
        slow.confirm(slow.position or 0)
        backpressure.relieve(client, [slow, other])  # type: ignore[arg-type]

    with watched(WindowFull) as told:
        for _ in range(50):
            pass_a_second()
    assert client.paused == {("t", 0)}
    assert sum(held_up) <= 6
    assert (told, health.is_ready) == ([], True), "it goes on"
    for _ in range(20):
        pass_a_second()
    assert slow.held > 90, "it is read again once half of it is free"


class TwoTopics(Client):
    """
    A client of two topics. The topic ``a`` has nine hundred records, of which the first has the key ``held``. The topic
    ``b`` gets one record per minute.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.offsets = {"a": 0, "b": 0}

    def clock(self) -> float:
        return self.now

    def poll(self, _seconds: float, most: int) -> list[ConsumerRecord]:
        if self.positions.waiting:
            return []
        return [*self.read("a", min(most, 900 - self.offsets["a"])), *self.read("b", int(self.now / 60))]

    def read(self, topic: str, count: int) -> list[ConsumerRecord]:
        first = self.offsets[topic]
        if (topic, 0) in self.paused:
            return []
        count = count if topic == "a" else count - first
        self.offsets[topic] += count
        return [_record(topic, first + number) for number in range(count)]


def _record(topic: str, offset: int) -> ConsumerRecord:
    key = b"held" if topic == "a" and offset == 0 else b"secret%d" % offset
    return ConsumerRecord(
        topic=topic, partition=0, offset=offset, timestamp=None, key=key, value=b"v" * 1_000, headers=()
    )


def test_a_partition_with_a_full_window_is_paused_and_reported_while_other_topics_continue() -> None:
    client, health, done, is_held = TwoTopics(), Health(), list[str](), [True]

    def process(delivery: object) -> Outcome:
        coordinates: str = delivery.coordinates  # type: ignore[attr-defined]
        if coordinates == "a:0:0" and is_held[0]:
            return Hold(ValueError(), 1.0)
        done.append(coordinates)
        return DONE

    scheduler = Scheduler(process, lanes=2, clock=client.clock)
    consumer = Consumer(
        group="g",
        connect=client,
        scheduler=scheduler,
        error_limit=ErrorLimit(),
        limits=Limits(
            window_records=500,
            window_bytes=10_000,
            commit_interval=1.0,
            poll_timeout=0.0,
            failure_sleep=0.0,
            revoke_timeout=60.0,
        ),
        health=health,
        clock=client.clock,
    )
    scheduler.start()
    client.assign(("a", 0), ("b", 0))

    def until_done(*coordinates: str) -> None:
        def is_done() -> bool:
            client.now += 0.5
            consumer.step()
            return {*coordinates} <= {*done}

        until(is_done)

    with watched(WindowFull) as told:
        until_done("b:0:0", "b:0:1", "b:0:2")
        assert client.paused == {("a", 0)}
        assert health.reasons == ("window full: a[0] waits for a:0:0",)
        assert client.offsets["a"] >= 500, "bytes of what is done do not count"
        is_held[0] = False
        until_done("a:0:899")
    assert (client.paused, health.is_ready) == (set(), True)
    assert [(one.topic, one.partition, one.waits_for) for one in told] == [("a", 0, "a:0:0")]
    assert "secret" not in repr(told) + repr(health.reasons)
    consumer.stop(timeout=60)
