"""Workers continue if their offset no longer exists, and can start at a given time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.projects.process import ServiceProcess
from tests.real.test_quarantine import metadata
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.support.examples_of import certificate
from tests.support.sending import send

pytestmark = pytest.mark.real

PROTOCOLS = {
    "classic": {},
    "cooperative": {"partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}


def worker(
    bus: RealBus, topic: str, group: str, *, protocol: str = "classic", receivers: str = "note", **extra: Any
) -> ServiceProcess:
    arguments = ("consume_events", "-t", topic, "-g", group, "--extra", json.dumps(extra))
    settings = bus.settings(EVENT_BUS_KAFKA_CONSUMER_OPTIONS=PROTOCOLS[protocol], EVENT_BUS_KAFKA_COMMIT_INTERVAL=0.1)
    return ServiceProcess(*arguments, settings=settings, receivers=receivers)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_case_27_records_are_logged_as_lost_if_they_were_deleted_before_being_read(
    bus: RealBus, topic: str, group: str, protocol: str
) -> None:
    send(bus, topic, *map(certificate, range(5)))
    bus.commit(group, topic, 1)
    admin = AdminClient({"bootstrap.servers": bus.bootstrap_servers})
    first = TopicPartition(topic, 0, 3)
    admin.delete_records([first])[first].result(30)
    with worker(bus, topic, group, protocol=protocol) as process:
        process.wait_for_users("note", [3, 4])
        assert process.stop() == 0
    lost = f"Group {group} has lost records of {topic}[0]: offsets 1 to 2 were deleted before the group had read them."
    assert process.log.count(lost) == 1
    assert bus.committed(group, topic) == 5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_case_23_27_a_running_worker_reads_a_recreated_topic_from_its_beginning(
    bus: RealBus, cluster: KafkaCluster, topic: str, group: str, protocol: str
) -> None:
    """Before the topic is recreated, both partitions have records. Afterwards one of the partitions is empty."""
    topic = f"anew-{group}"
    bus.create_topic(topic, 2)
    send(bus, topic, *map(certificate, range(40)))
    assert 0 < len(bus.records(topic, 40, seconds=1)) < 40
    with worker(bus, topic, group, protocol=protocol) as process:
        process.wait_for(lambda: sorted(process.users("note")) == list(range(40)), "for the old events")
        cluster.delete_topic(topic)
        bus.create_topic(topic, 2)
        send(bus, topic, certificate(1, grade="new"))
        process.wait_for(lambda: [one["grade"] for one in process.heard("note")][40:] == ["new"], "for the new event")
        assert process.stop() == 0
    assert len(process.heard("note")) == 41


def test_case_27_an_empty_topic_with_a_committed_offset_is_logged_as_recreated(
    bus: RealBus, topic: str, group: str
) -> None:
    """The worker commits the corrected offset, so that the next worker does not log the recreation again."""
    bus.commit(group, topic, 9)
    with worker(bus, topic, group) as process:
        process.wait_for_log(f"lost records of {topic}[0]: offset 9 does not exist: the topic was recreated")
        assert process.stop() == 0
    assert bus.committed(group, topic) == 0


def test_an_offset_time_moves_a_group_once_and_a_changed_offset_time_moves_it_again(
    bus: RealBus, topic: str, group: str
) -> None:
    for user in (1, 2, 3):
        send(bus, topic, certificate(user))
    times = [record.timestamp()[1] for record in bus.records(topic, 3)]
    assert len(set(times)) == 3, "the test needs events with different times"
    second, third = (datetime.fromtimestamp(time / 1000, UTC).isoformat() for time in times[1:])
    bus.commit(group, topic, 2)  # records read from there must not count as read after the move
    with worker(bus, topic, group, offset_time=second) as process:
        process.wait_for_users("note", [2, 3])
        assert process.stop() == 0
    assert (bus.committed(group, topic), metadata(bus, group, topic)) == (
        3,
        f'event-bus-kafka {{"offset_time":{times[1]}}}',
    )
    send(bus, topic, certificate(4))
    with worker(bus, topic, group, offset_time=second) as process:
        process.wait_for_users("note", [4])
        assert process.stop() == 0
    with worker(bus, topic, group, offset_time=third) as process:
        process.wait_for_users("note", [3, 4])
        assert process.stop() == 0


def test_a_group_starts_at_the_end_if_its_offset_time_is_after_all_records(
    bus: RealBus, topic: str, group: str
) -> None:
    """The group reads only the record that is sent after the worker has found its offsets."""
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, offset_time="2100-01-01T00:00:00+01:00") as process:
        process.wait_for_log(
            f"Group {group} starts at the offsets for the time 2099-12-31T23:00:00+00:00: {topic}[0] at 1"
        )
        send(bus, topic, certificate(2))
        process.wait_for_users("note", [2])
        assert process.stop() == 0
