"""Only what Kafka has confirmed counts as committed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from event_bus_kafka.consuming.commits import Commits
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.telemetry.events import CommitFailed, OffsetsCommitted
from tests.support.watching import watched
from tests.unit.consuming.scheduling import record


class RefusingClient:
    """A client that Kafka refuses so many commits of its partitions, with codes by their numbers."""

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


def test_what_was_refused_is_due_again() -> None:
    client: Any = RefusingClient(1)
    partition, commits = done_up_to(7), Commits("g", lambda: 0.0, lambda _: None)
    assert [*commits.commit(client, [partition])] == [("t", 0)]
    assert (partition.uncommitted, commits.refused) == (8, 1)
    assert commits.commit(client, [partition]) == {}
    assert (partition.uncommitted, commits.refused) == (None, 0)
    assert client.kept == {("t", 0): Committed(8)}


def test_a_partition_that_is_refused_leaves_the_others_confirmed() -> None:
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


def test_a_last_commit_is_made_again_where_the_refusal_is_one_that_passes() -> None:
    client: Any = RefusingClient(3, **{"0": "COORDINATOR_LOAD_IN_PROGRESS", "1": "UNKNOWN_MEMBER_ID"})
    partitions = [done_up_to(7, number) for number in range(3)]
    commits = Commits("g", lambda: 0.0, lambda _: None)
    commits.commit_last(client, partitions)
    assert client.asked == [[0, 1, 2], [0], [0], [0]]
    assert client.kept == {("t", 2): Committed(8), ("t", 0): Committed(8)}
    assert commits.refused == 1, "a worker that ends tells of it"
