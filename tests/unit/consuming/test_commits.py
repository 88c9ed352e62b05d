"""An offset counts as committed only after Kafka has confirmed its commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from event_bus_kafka.consuming.commits import Commits
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.dispatching.outcomes import DONE, Outcome
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.telemetry.events import CommitFailed, OffsetsCommitted
from event_bus_kafka.wire.records import ConsumerRecord
from tests.support.watching import watched
from tests.unit.consuming.clients import LIMITS, Client, running
from tests.unit.consuming.scheduling import record, until


class RefusingClient:
    """
    A client that refuses the partitions in ``codes`` in its first ``refusals`` commits. ``codes`` maps the number of a
    partition to the error code; by default, partition 0 is refused.
    """

    def __init__(self, refusals: int, **codes: str) -> None:
        self.refusals = refusals
        self.codes = codes or {"0": "COORDINATOR_LOAD_IN_PROGRESS"}
        self.asked: list[list[int]] = []
        self.kept: dict[Partition, Committed] = {}

    def commit_each(self, offsets: Mapping[Partition, Committed]) -> dict[Partition, BrokerError]:
        self.asked.append([number for _, number in offsets])
        self.refusals -= 1
        refused = {
            name: BrokerError(self.codes[str(name[1])], "later")
            for name in offsets
            if str(name[1]) in self.codes and self.refusals >= 0
        }
        self.kept |= {name: one for name, one in offsets.items() if name not in refused}
        return refused


def done_up_to(offset: int, number: int = 0) -> PartitionProgress:
    partition = PartitionProgress("t", number)
    partition.take(record(offset, partition=number)).finish()
    partition.advance()
    return partition


def test_an_offset_is_committed_again_after_its_commit_was_refused() -> None:
    client: Any = RefusingClient(1)
    partition, commits = done_up_to(7), Commits("g", lambda: 0.0, lambda _: None)
    assert [*commits.commit(client, [partition])] == [("t", 0)]
    assert (partition.uncommitted, commits.refused) == (8, {("t", 0)})
    assert commits.commit(client, [partition]) == {}
    assert (partition.uncommitted, commits.refused) == (None, set())
    assert client.kept == {("t", 0): Committed(8)}


def test_a_refused_commit_of_one_partition_does_not_affect_commits_of_other_partitions() -> None:
    client: Any = RefusingClient(1, **{"1": "UNKNOWN_MEMBER_ID", "2": "TOPIC_AUTHORIZATION_FAILED"})
    partitions = [done_up_to(7, number) for number in range(3)]
    with watched(CommitFailed, OffsetsCommitted) as told:
        Commits("g", lambda: 0.0, lambda _: None).commit(client, partitions)
    assert [partition.uncommitted for partition in partitions] == [None, 8, 8]
    *failed, committed = told
    assert [(one.partitions, one.error.code) for one in failed] == [
        ((("t", 1),), "UNKNOWN_MEMBER_ID"),
        ((("t", 2),), "TOPIC_AUTHORIZATION_FAILED"),
    ]
    assert committed.offsets == (("t", 0, 8),)


def test_the_last_commit_is_repeated_only_for_partitions_with_transient_refusals() -> None:
    client: Any = RefusingClient(3, **{"0": "COORDINATOR_LOAD_IN_PROGRESS", "1": "UNKNOWN_MEMBER_ID"})
    partitions = [done_up_to(7, number) for number in range(3)]
    commits = Commits("g", lambda: 0.0, lambda _: None)
    commits.commit_last(client, partitions)
    assert client.asked == [[0, 1, 2], [0], [0], [0]]
    assert client.kept == {("t", 2): Committed(8), ("t", 0): Committed(8)}
    assert commits.refused == {("t", 1)}, "a stopping worker reports these partitions"


class OneRefused(Client):
    """
    A client of two topics. The topic ``a`` has endless records. The topic ``b`` has one record; commits of its offset
    are always refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.offsets = {"a": 0, "b": 0}

    def poll(self, _seconds: float, most: int) -> list[ConsumerRecord]:
        if self.positions.waiting or self.paused:
            return []
        refused = self.read("b", 1 - self.offsets["b"])
        return [*refused, *self.read("a", most - len(refused))]

    def read(self, topic: str, count: int) -> list[ConsumerRecord]:
        first = self.offsets[topic]
        self.offsets[topic] += count
        return [
            ConsumerRecord(
                topic=topic, partition=0, offset=first + number, timestamp=None, key=b"", value=b"", headers=()
            )
            for number in range(count)
        ]

    def commit_each(self, offsets: Mapping[Partition, Committed]) -> dict[Partition, BrokerError]:
        return {name: BrokerError("TOPIC_AUTHORIZATION_FAILED", "no") for name in offsets if name[0] == "b"}


def test_a_partition_does_not_slow_other_partitions_if_its_commits_are_always_refused() -> None:
    """
    If the refused commit slowed the worker, it would read only one window of records per commit interval from each of
    the other partitions.
    """
    client, seen = OneRefused(), list[str]()

    def process(delivery: Any) -> Outcome:
        seen.append(delivery.record.topic)
        return DONE

    consumer = running(client, process, attrs.evolve(LIMITS, window_records=10, commit_interval=3600.0))
    client.assign(("a", 0), ("b", 0))

    def has_read_on() -> bool:
        consumer.step()
        return seen.count("a") > 100

    until(has_read_on)
    assert seen.count("b") == 1
    consumer.stop(timeout=60)
