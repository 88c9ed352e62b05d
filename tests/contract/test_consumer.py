"""
:class:`ConsumerClient` reads, starts, pauses and commits partitions as the package assumes. The consumer is the only
member of its group.
"""

from __future__ import annotations

from time import monotonic

import pytest
from confluent_kafka import Producer as RawProducer

from event_bus_kafka.consuming.progress import PartitionProgress
from event_bus_kafka.consuming.starting_offsets import StartingOffsets
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.telemetry.events import OffsetsLost
from event_bus_kafka.wire.records import ConsumerRecord
from tests.contract.odd_headers import produce_with_header_name
from tests.services.bus import Bus
from tests.support.members import Member, client_errors, produced, record
from tests.support.watching import watched


def test_a_poll_returns_the_available_records_without_waiting_for_more(bus: Bus, topic: str, group: str) -> None:
    """Each poll has a time limit of 1,000 seconds. If a poll waited for more records, the test would time out."""
    produced(bus, *[record(topic)] * 3)
    with Member(bus, group, [topic]) as member:
        records = member.poll(1000)
        while len(records) < 3:
            records += member.poll(1000)
    assert [each.offset for each in records] == [0, 1, 2]


def test_a_poll_of_an_empty_topic_returns_nothing(bus: Bus, topic: str, group: str) -> None:
    with Member(bus, group, [topic]) as member:
        member.poll_assignment()
        assert member.poll(0.1) == []


def test_a_new_group_starts_at_the_earliest_record(bus: Bus, topic: str, group: str) -> None:
    produced(bus, record(topic, b"old"))
    with Member(bus, group, [topic]) as member:
        assert member.poll_records(1)[0].value == b"old"


def test_a_partition_returns_no_record_before_it_is_started_at_an_offset(bus: Bus, topic: str, group: str) -> None:
    """
    Records that were fetched before the partition was started must not be returned. The first poll has a time limit of
    1,000 seconds. If this poll did not return when the partition is assigned, the test would time out.
    """
    produced(bus, *[record(topic)] * 4)
    bus.commit(group, topic, 2)
    with Member(bus, group, [topic]) as member:
        read = member.client.poll(1000)
        while not member.client.positions.assigned:
            read += member.client.poll(1000)
        assert read + member.client.poll(2) == []
        assert member.client.positions.waiting == {(topic, 0): None}
        member.start({(topic, 0): 1})
        assert [each.offset for each in member.poll_records(3)] == [1, 2, 3]


def test_moving_one_partition_to_a_new_offset_does_not_move_the_other_partition(
    bus: Bus, topic: str, group: str
) -> None:
    """
    In an eager group, all partitions of a member are assigned together. After a partition was started at another
    offset, records that were fetched before must not be returned.
    """
    wide = f"{topic}-wide"
    bus.create_topic(wide, 2)
    produced(bus, *(record(wide, key=str(key).encode()) for key in range(400)))
    with Member(bus, group, [wide]) as member:
        member.poll_records(1)
        names = [(wide, number) for number in range(2)]
        member.poll_until(lambda: {*map(_name, member.records)} == {*names})
        count = len(member.records)
        member.start({names[0]: 3})
        member.poll_until(lambda: len({(_name(each), each.offset) for each in member.records}) == 400)
        member.poll_until(lambda: names[0] in map(_name, member.records[count:]))
    for name in names:
        before, after = (
            [each.offset for each in part if _name(each) == name]
            for part in (member.records[:count], member.records[count:])
        )
        first = 3 if name == names[0] else len(before)
        assert (before, after) == ([*range(len(before))], [*range(first, first + len(after))])


def test_restarting_one_partition_does_not_skip_a_new_record_of_the_other_partition(
    bus: Bus, topic: str, group: str
) -> None:
    """
    The group starts at the end of the topic. When one partition is started again, the end of the other partition must
    not be looked up again, because the group would then skip the record.
    """
    wide = f"{topic}-wide"
    bus.create_topic(wide, 2)
    with Member(bus, group, [wide], **{"auto.offset.reset": "latest"}) as member:
        member.poll_assignment()
        member.poll_until(lambda: not member.client.positions.waiting)
        bus.produce(wide, value=b"value", headers={})
        member.start({(wide, 1): 0})
        assert _name(*member.poll_records(1)) == (wide, 0)


def _name(each: ConsumerRecord) -> Partition:
    return each.topic, each.partition


@pytest.mark.parametrize("late", [True, False])
def test_records_are_reported_as_lost_only_if_the_offset_error_concerns_the_current_offset(
    bus: Bus, topic: str, group: str, late: bool
) -> None:
    produced(bus, *[record(topic)] * 4)
    with Member(bus, group, [topic]) as member, watched(OffsetsLost) as lost:
        member.poll_records(4)
        progress = PartitionProgress(topic, 0, next_offset=4)
        member.client.positions.waiting[topic, 0] = 9 if late else 4
        StartingOffsets(group, None, monotonic).start(member.client, {(topic, 0): progress})
        produced(bus, record(topic))
        member.records.clear()
        assert [each.offset for each in member.poll_records(1 if late else 5)] == ([4] if late else [*range(5)])
    assert len(lost) == (0 if late else 1)


def test_the_next_member_starts_at_the_committed_offset(bus: Bus, topic: str, group: str) -> None:
    produced(bus, *(record(topic, str(number).encode()) for number in range(3)))
    with Member(bus, group, [topic]) as member:
        member.poll_records(3)
        member.client.commit({(topic, 0): Committed(2)})
    assert bus.committed(group, topic) == 2
    with Member(bus, group, [topic]) as member:
        assert member.poll_records(1)[0].value == b"2"


def test_nothing_is_committed_without_a_call_of_commit(bus: Bus, topic: str, group: str) -> None:
    produced(bus, record(topic))
    with Member(bus, group, [topic]) as member:
        member.poll_records(1)
    assert bus.committed(group, topic) < 0


def test_a_commit_without_offsets_stores_nothing(bus: Bus, topic: str, group: str) -> None:
    with Member(bus, group, [topic]) as member:
        member.poll_assignment()
        member.client.commit({})
    assert bus.committed(group, topic) < 0


def test_a_commit_of_an_invalid_offset_raises_an_error(bus: Bus, topic: str, group: str) -> None:
    with Member(bus, group, [topic]) as member:
        member.poll_assignment()
        with pytest.raises(BrokerError) as caught:
            member.client.commit({(topic, 0): Committed(-5)})
    assert caught.value.code == "_NO_OFFSET"


def test_a_commit_in_the_revocation_callback_is_stored_when_the_consumer_is_closed(
    bus: Bus, topic: str, group: str
) -> None:
    produced(bus, record(topic))
    with Member(bus, group, [topic]) as member:
        member.poll_records(1)
        assert member.revoked == []
        member.commits_when_revoked = {(topic, 0): Committed(1)}
    assert (member.revoked, member.lost) == ([[(topic, 0)]], [])
    assert bus.committed(group, topic) == 1


def test_a_paused_partition_returns_no_records_until_it_is_resumed(bus: Bus, topic: str, group: str) -> None:
    with Member(bus, group, [topic]) as member:
        member.poll_assignment()
        member.client.pause([(topic, 0)])
        produced(bus, record(topic))
        assert member.poll(1) == []
        member.client.resume([(topic, 0)])
        assert len(member.poll_records(1)) == 1


def test_pausing_an_unassigned_partition_has_no_effect(bus: Bus, topic: str, group: str) -> None:
    with Member(bus, group, [topic]) as member:
        member.client.pause([(topic, 0), (topic, 7)])
        member.client.resume([(topic, 0), (topic, 7)])
        produced(bus, record(topic))
        assert len(member.poll_records(1)) == 1


def test_a_subscribed_topic_is_read_even_if_it_is_created_after_the_subscription(
    bus: Bus, topic: str, group: str
) -> None:
    late = f"{topic}-late"
    with Member(bus, group, [topic, late]) as member:
        member.poll_assignment()
        bus.create_topic(late)
        produced(bus, record(late))
        assert member.poll_records(1)[0].topic == late


@pytest.mark.real
def test_a_missing_topic_causes_an_error_that_is_not_fatal(real_bus: Bus, group: str) -> None:
    """This test needs a real Kafka: the sandbox creates a topic when it is first requested."""
    with client_errors() as errors, Member(real_bus, group, ["missing-topic"]) as member:
        member.poll_until(lambda: any(error.client == "consumer" for error in errors))
    # Producers of other tests may still exist in this process, after their brokers have stopped.
    assert {(error.code, error.fatal) for error in errors if error.client == "consumer"} == {
        ("UNKNOWN_TOPIC_OR_PART", False)
    }


@pytest.mark.real
def test_records_before_and_after_a_gap_in_the_offsets_are_read(real_bus: Bus, group: str) -> None:
    """This test needs a real Kafka: the sandbox neither writes transaction markers nor compacts topics."""
    real_bus.create_topic("gaps")
    producer = RawProducer({"bootstrap.servers": real_bus.bootstrap_servers, "transactional.id": "gaps"})
    producer.init_transactions(30)
    for end in (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        producer.produce("gaps", b"value")
        producer.flush(30)
        end(30)
    with Member(real_bus, group, ["gaps"]) as member:
        assert [each.offset for each in member.poll_records(2)] == [0, 4]
        member.client.commit({("gaps", 0): Committed(5)})
    assert real_bus.committed(group, "gaps") == 5


def test_an_unreachable_broker_causes_an_error_that_is_not_fatal(bus: Bus, group: str) -> None:
    with client_errors() as errors, Member(bus, group, ["t"], **{"bootstrap.servers": "127.0.0.1:9"}) as member:
        member.poll_until(lambda: "_ALL_BROKERS_DOWN" in [error.code for error in errors])
    assert {error.fatal for error in errors if error.client == "consumer"} == {False}


def test_a_record_is_returned_without_headers_if_a_header_name_is_not_utf8(bus: Bus, topic: str, group: str) -> None:
    """
    confluent-kafka cannot decode these headers. The record is therefore returned without headers; workers later store
    it as a dead letter.
    """
    produced(bus, record(topic, b"before"))
    produce_with_header_name(bus.bootstrap_servers, topic, b"\xff")
    produced(bus, record(topic, b"after", headers=(("h", b"v"),)))
    with client_errors() as errors, Member(bus, group, [topic]) as member:
        records = member.poll_records(3)
    assert [(each.value, each.headers) for each in records] == [
        (b"before", ()),
        (b"odd", ()),
        (b"after", (("h", b"v"),)),
    ]
    assert len([error for error in errors if f"{topic}:0:1" in str(error.error)]) == 1
