"""A commit that Kafka refuses is repeated or abandoned. Its offsets count as committed only if Kafka accepts them."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic, sleep

import pytest

from event_bus_kafka.consuming.commits import Commits
from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import CommitFailed, LifecycleEvent, OffsetsCommitted
from tests.services.bus import SandboxBus
from tests.support.members import Member
from tests.support.watching import watched


@pytest.fixture
def told() -> Iterator[list[LifecycleEvent]]:
    """Return a list to which the lifecycle events about commits are added."""
    with watched(CommitFailed, OffsetsCommitted) as events:
        yield events


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    """Return a sandbox that no other test uses, because the test injects faults into it."""
    with Sandbox() as own_sandbox:
        own_sandbox.create_topic("t", 1)
        yield own_sandbox


@pytest.mark.parametrize(
    ("code", "lost"),
    [
        ("REBALANCE_IN_PROGRESS", False),
        ("STALE_MEMBER_EPOCH", False),
        ("GROUP_AUTHORIZATION_FAILED", False),
        ("UNKNOWN_MEMBER_ID", True),
        ("ILLEGAL_GENERATION", True),
    ],
)
def test_case_10_the_report_of_a_refused_commit_says_whether_the_partition_is_lost(
    own_sandbox: Sandbox, group: str, told: list[LifecycleEvent], code: str, lost: bool
) -> None:
    with Member(SandboxBus(own_sandbox), group, ["t"]) as member:
        member.poll_assignment()
        partition, commits = PartitionProgress("t", 0, committed=0, position=1), Commits(group, monotonic, sleep)
        own_sandbox.fail_next("OffsetCommit", code)
        (error,) = commits.commit(member.client, [partition]).values()
        assert error.code == code
        assert (commits.refused, partition.uncommitted) == ({("t", 0)}, 1)
        assert told == [CommitFailed(group=group, partitions=(("t", 0),), error=error, lost=lost)]
        if not lost:
            assert commits.commit(member.client, [partition]) == {}
            assert (commits.refused, partition.uncommitted) == (set(), None)
            assert told[1:] == [OffsetsCommitted(group=group, offsets=(("t", 0, 1),))]


@pytest.mark.parametrize(("code", "done"), [("STALE_MEMBER_EPOCH", True), ("REBALANCE_IN_PROGRESS", False)])
def test_the_last_commit_of_a_partition_is_repeated_after_a_refusal_unless_a_rebalance_is_the_reason(
    own_sandbox: Sandbox, group: str, code: str, done: bool
) -> None:
    with Member(SandboxBus(own_sandbox), group, ["t"]) as member:
        member.poll_assignment()
        partition, commits = PartitionProgress("t", 0, committed=0, position=1), Commits(group, monotonic, sleep)
        own_sandbox.fail_next("OffsetCommit", code, times=3)
        commits.commit_last(member.client, [partition])
        own_sandbox.mend()
    assert (not commits.refused, partition.uncommitted is None) == (done, done)
    assert (SandboxBus(own_sandbox).committed(group, "t") == 1) is done
