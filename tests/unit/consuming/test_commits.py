"""Only what Kafka has confirmed counts as committed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from event_bus_kafka.consuming.commits import Commits
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.offsets import Committed, Partition
from tests.unit.consuming.scheduling import record


class RefusingClient:
    """A client that Kafka refuses so many commits."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.kept: dict[Partition, Committed] = {}

    def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise BrokerError("COORDINATOR_LOAD_IN_PROGRESS", "later", retriable=True)
        self.kept |= offsets


def done_up_to(offset: int) -> PartitionProgress:
    partition = PartitionProgress("t", 0)
    partition.take(record(offset)).done = True
    partition.advance()
    return partition


def test_what_was_refused_is_due_again() -> None:
    client: Any = RefusingClient(1)
    partition, commits = done_up_to(7), Commits("g", lambda: 0.0, lambda _: None)
    assert commits.commit(client, [partition]) is not None
    assert (partition.uncommitted, commits.refused) == (8, 1)
    assert commits.commit(client, [partition]) is None
    assert (partition.uncommitted, commits.refused) == (None, 0)
    assert client.kept == {("t", 0): Committed(8)}


def test_a_last_commit_is_made_again_while_the_refusal_is_one_that_passes() -> None:
    client: Any = RefusingClient(3)
    Commits("g", lambda: 0.0, lambda _: None).commit_last(client, [done_up_to(7)])
    assert client.kept == {("t", 0): Committed(8)}
