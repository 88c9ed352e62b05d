"""
Partitions and commits of a group change as the package assumes when members join, leave, poll too slowly or are fenced.
"""

from __future__ import annotations

from time import sleep

import pytest

from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.kafka.offsets import Committed
from event_bus_kafka.trouble import Trouble
from tests.services.bus import Bus
from tests.support.members import Member, client_errors, produced, record


@pytest.fixture
def wide(bus: Bus, topic: str) -> str:
    """Return a topic with two partitions."""
    bus.create_topic(f"{topic}-wide", 2)
    return f"{topic}-wide"


def test_a_single_member_is_assigned_all_partitions(bus: Bus, wide: str, group: str) -> None:
    with Member(bus, group, [wide]) as member:
        member.poll_assignment()
        assert sorted(member.assigned[0]) == [(wide, 0), (wide, 1)]
        assert (member.revoked, member.lost) == ([], [])


def test_two_members_share_the_partitions_until_the_second_member_leaves(bus: Bus, wide: str, group: str) -> None:
    with Member(bus, group, [wide]) as first:
        first.poll_assignment()
        with Member(bus, group, [wide]) as second:
            second.poll_until(lambda: second.assigned and len(first.assigned) > 1, first)
            assert sorted(first.revoked[0]) == [(wide, 0), (wide, 1)]
            assert sorted(first.assigned[-1] + second.assigned[-1]) == [(wide, 0), (wide, 1)]
        first.poll_until(lambda: len(first.assigned[-1]) == 2)
        assert first.lost == second.lost == []


@pytest.mark.real
def test_the_next_owner_of_a_partition_starts_at_the_offset_committed_during_the_revocation(
    real_bus: Bus, group: str
) -> None:
    """
    This test needs a real Kafka: the sandbox refuses commits with REBALANCE_IN_PROGRESS while members join.

    The topic has one partition. The test does not know which member owns the partition next.
    """
    bus, topic = real_bus, f"{group}-topic"
    bus.create_topic(topic)
    produced(bus, record(topic, b"done"), record(topic, b"next"))
    with Member(bus, group, [topic]) as first:
        first.poll_records(2)
        first.commits_when_revoked = {(topic, 0): Committed(1)}
        with Member(bus, group, [topic]) as second:
            second.poll_until(lambda: first.revoked and len(first.records + second.records) > 2, first)
            assert (first.records[2:] + second.records)[0].value == b"next"
            first.commits_when_revoked = {}


def test_a_member_that_leaves_the_group_can_still_commit(bus: Bus, topic: str, group: str) -> None:
    produced(bus, record(topic))
    with Member(bus, group, [topic]) as member:
        member.poll_records(1)
        member.commits_when_revoked = {(topic, 0): Committed(1)}
    assert bus.committed(group, topic) == 1


def test_a_partition_is_no_longer_paused_after_its_reassignment(bus: Bus, topic: str, group: str) -> None:
    with Member(bus, group, [topic]) as first:
        first.poll_assignment()
        first.client.pause([(topic, 0)])
        with Member(bus, group, [topic]) as second:
            second.poll_until(lambda: first.revoked and any(second.assigned + first.assigned[1:]), first)
        produced(bus, record(topic))
        assert len(first.poll_records(1)) == 1


def test_a_member_that_exceeds_max_poll_interval_loses_its_partitions_and_cannot_commit(
    bus: Bus, topic: str, group: str
) -> None:
    produced(bus, record(topic))
    with client_errors() as errors, Member(bus, group, [topic], **{"max.poll.interval.ms": 6000}) as member:
        member.poll_records(1)
        with pytest.raises(AssignmentLost):
            while True:
                member.client.commit({(topic, 0): Committed(0)})
                sleep(0.1)
        member.poll_until(lambda: member.lost and len(member.assigned) > 1)
        assert member.lost == [[(topic, 0)]]
        assert member.revoked == []
        member.poll_records(2)
    assert ("consumer", "_MAX_POLL_EXCEEDED", False) in [(error.client, error.code, error.fatal) for error in errors]


@pytest.mark.real
def test_a_fenced_static_member_gets_a_fatal_error(real_bus: Bus, group: str) -> None:
    """
    This test needs a real Kafka because the sandbox does not fence members. Two members have the same
    group.instance.id. Kafka fences the member that joined first.
    """
    bus, topic = real_bus, f"{group}-topic"
    bus.create_topic(topic)
    with Member(bus, group, [topic], **{"group.instance.id": "one"}) as older:
        older.poll_assignment()
        with Member(bus, group, [topic], **{"group.instance.id": "one"}) as newer:
            newer.poll_assignment()
            with pytest.raises(BrokerError) as caught:
                older.poll_until(lambda: False, newer)
            assert (caught.value.code, caught.value.fatal) == ("_FATAL", True)
            with pytest.raises(AssignmentLost):
                older.client.commit({(topic, 0): Committed(1)})


@pytest.mark.real
def test_a_failed_commit_of_a_fenced_member_is_attributed_to_the_fencing(real_bus: Bus, group: str) -> None:
    """This test needs a real Kafka: the sandbox does not fence members."""
    bus, topic = real_bus, f"{group}-topic"
    bus.create_topic(topic)
    produced(bus, *[record(topic)] * 3_000)
    with Member(bus, group, [topic], **{"group.instance.id": "one"}) as older:
        older.poll_records(1)
        with Member(bus, group, [topic], **{"group.instance.id": "one"}) as newer:
            newer.poll_assignment()
            for _ in range(2):  # the first member may get further errors
                with pytest.raises(AssignmentLost) as caught:
                    older.client.commit({(topic, 0): Committed(1)})
                assert caught.value.fatal
            assert (caught.value.code, caught.value.kind) == ("_FATAL", Trouble.OTHER)
            assert older.client.cause_of(caught.value).kind is Trouble.REPLACED


def test_committing_an_unassigned_partition_raises_an_error(bus: Bus, wide: str, topic: str, group: str) -> None:
    with Member(bus, group, [wide]) as member:
        member.poll_assignment()
        with pytest.raises(AssignmentLost):
            member.client.commit({(topic, 0): Committed(1)})
    assert bus.committed(group, topic) < 0


def test_committing_raises_an_error_after_the_member_has_left_the_group(bus: Bus, topic: str, group: str) -> None:
    with Member(bus, group, [topic]) as member:
        member.poll_assignment()
    with pytest.raises(AssignmentLost):
        member.client.commit({(topic, 0): Committed(1)})
