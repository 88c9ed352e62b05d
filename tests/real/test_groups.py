"""Members join and leave a group. No event is lost."""

from __future__ import annotations

import signal
from time import sleep
from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.support.examples_of import certificate
from tests.support.order import assert_in_order, each_protocol, ended, event, numbered
from tests.support.scale import scaled
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real


@each_protocol
def test_case_9_failed_events_are_processed_again_when_a_revoked_partition_returns(
    bus: RealBus, group: str, options: dict[str, Any]
) -> None:
    """Each event fails. Without a rebalance, its next retry would be an hour later."""
    topic, users = f"waiting-{group}", list(range(1, 17))
    bus.create_topic(topic, 4)
    send(bus, topic, *map(certificate, users))
    changes: dict[str, Any] = {
        "EVENT_BUS_KAFKA_RETRY": {"first_delay": 3_600, "max_delay": 3_600},
        "EVENT_BUS_KAFKA_CIRCUIT": {"failures": 1_000},
        "EVENT_BUS_KAFKA_CONSUMER_OPTIONS": options,
    }
    failing = {"FAILING": ",".join(map(str, users))}

    def member() -> ServiceProcess:
        return worker(bus, topic, group, "trouble.fail_for_some", failing, **changes)

    with member() as first:
        first.wait_for(lambda: sorted(first.users("some")) == users)
        with member() as second:
            second.wait_for(lambda: second.users("some"))
            first.wait_for_log("revoked")
            assert second.stop() == 0
        moved = set(second.users("some"))
        first.wait_for(lambda: moved <= set(first.users("some")[len(users) :]))
        assert first.stop() == 0
    assert moved < set(users)
    assert "offsets not committed" not in first.log + second.log


@each_protocol
def test_case_10_one_of_two_members_with_equal_instance_ids_ends_and_logs_the_reason(
    bus: RealBus, topic: str, group: str, options: dict[str, Any]
) -> None:
    """
    The classic protocol fences the member that joined first. The newer protocol refuses the member that joined second.
    """
    changes: dict[str, Any] = {"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": options | {"group.instance.id": "one"}}
    with worker(bus, topic, group, "note", **changes) as older:
        older.wait_for_log(f"assigned: {topic}")
        with worker(bus, topic, group, "note", **changes) as newer:
            out, staying = (newer, older) if "group.protocol" in options else (older, newer)
            assert out.end() == 3
            assert "has this worker's group.instance.id: it must be unique" in out.log
            send(bus, topic, certificate(1))
            staying.wait_for_users("note", [1])
            assert staying.stop() == 0
    assert bus.committed(group, topic) == 1


@pytest.mark.parametrize("told", [False, True], ids=["without a signal", "after a signal"])
def test_case_10_a_fenced_member_processes_no_further_events_after_its_commit_is_refused(
    bus: RealBus, topic: str, group: str, told: bool
) -> None:
    """
    Heartbeats are rare in this test, so the member that joined first learns from a commit that Kafka has fenced it.
    """
    send(bus, topic, *map(certificate, range(1_000)))
    rare = {"heartbeat.interval.ms": 20_000, "session.timeout.ms": 45_000, "group.instance.id": "one"}
    changes: dict[str, Any] = {
        "EVENT_BUS_KAFKA_CONSUMER_OPTIONS": rare,
        "EVENT_BUS_KAFKA_COMMIT_INTERVAL": 3_600 if told else 0.02,
    }
    with worker(bus, topic, group, "trouble.endure", {"SECONDS": "0.05"}, **changes) as older:
        ended(older, 1)
        with worker(bus, topic, group, "note", **changes) as newer:
            newer.wait_for_log(f"assigned: {topic}")
            assert (older.stop() if told else older.end()) == 3
            assert newer.stop() == 0
    assert "has this worker's group.instance.id: it must be unique" in older.log
    assert older.log.count("offsets not committed") <= 2, "the fenced member started further events"


@pytest.mark.long
@pytest.mark.timeout(900)
@each_protocol
def test_case_8_no_event_is_lost_or_repeated_while_members_join_or_leave_under_load(
    bus: RealBus, group: str, options: dict[str, Any]
) -> None:
    topic, users, each = f"busy-{group}", list(range(16)), scaled(40, long=800)
    bus.create_topic(topic, 4)
    send(bus, topic, *numbered(users, each))
    said: list[dict[str, Any]] = []

    def member() -> ServiceProcess:
        changes: dict[str, Any] = {"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": options}
        return worker(bus, topic, group, "trouble.endure", {"SECONDS": "0.05"}, lanes=2, **changes)

    def done() -> int:
        return len({event(line) for line in said + staying.heard("ends") if line["what"] == "ends"})

    with member() as staying:
        for _ in range(scaled(2, long=30)):
            with member() as guest:
                guest.wait_for_log(f"assigned: {topic}")
                sleep(scaled(0, long=2))
                assert guest.stop() == 0
            said += guest.said
        staying.wait_for(lambda: done() == len(users) * each, seconds=scaled(90, long=600))
        assert staying.stop() == 0
    said += staying.said
    twice = sum(line["what"] == "ends" for line in said) - len(users) * each
    print(f"{len(users) * each} events, {twice} twice")
    assert twice == 0
    assert_in_order(said, each)


def test_a_restarted_static_member_gets_its_partition_back_without_a_rebalance(bus: RealBus, group: str) -> None:
    topic = f"static-{group}"
    bus.create_topic(topic, 2)

    def member(identity: str) -> ServiceProcess:
        options = {"session.timeout.ms": 30_000, "group.instance.id": identity}
        return worker(bus, topic, group, "note", EVENT_BUS_KAFKA_CONSUMER_OPTIONS=options)

    with member("one") as staying:
        staying.wait_for_log(f"assigned: {topic}")
        with member("two") as leaving:
            leaving.wait_for_log(f"assigned: {topic}")
            staying.wait_for(lambda: staying.log.count(f"assigned: {topic}") == 2)
            assert leaving.stop() == 0
        moved = staying.log.count("revoked")
        with member("two") as back:
            back.wait_for_log(f"assigned: {topic}")
            send(bus, topic, *map(certificate, range(8)))
            staying.wait_for(lambda: sorted(staying.users("note") + back.users("note")) == list(range(8)))
            assert (staying.log.count("revoked"), back.stop()) == (moved, 0)
        assert staying.stop() == 0


def test_case_5_a_worker_can_stop_with_or_without_partitions_and_before_the_first_assignment(
    bus: RealBus, topic: str, group: str
) -> None:
    """
    One worker stops while it has no partitions. Another worker stops before its first assignment, which is delayed
    because a receiver hangs. The last worker has a partition and gets two signals.
    """
    with worker(bus, topic, group, "hang") as one, worker(bus, topic, group, "hang") as other:
        one.wait_for(lambda: "assigned: none" in one.log + other.log)
        idle, owner = (one, other) if "assigned: none" in one.log else (other, one)
        assert idle.stop() == 0
        send(bus, topic, certificate(1))
        owner.wait_for(lambda: owner.heard("hang"))
        with worker(bus, topic, group, "note") as early:
            early.wait_for_log("Running consumer")
            assert early.stop() == 0
        assert "partitions assigned" not in early.log
        owner.send(signal.SIGTERM)
        owner.send(signal.SIGINT)
        assert owner.end() == 2
