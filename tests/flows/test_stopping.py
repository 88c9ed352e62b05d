"""A worker ends in time. Events whose offsets were not committed are delivered again to the next worker."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import Bus, SandboxBus
from tests.support.dead_letters import OnTopic
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import OURS_FIRST, OURS_LAST, worker

TWICE = {"EVENT_BUS_KAFKA_RETRY": {"attempts": 2, "first_delay": 0.05, "factor": 1}}


def test_case_1_a_worker_does_not_stop_before_its_running_receiver_has_finished(
    bus: Bus, topic: str, group: str
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "slow") as process:
        process.wait_for(lambda: process.heard("slow begins"))
        assert process.stop() == 0
    assert process.users("slow ends") == [1]
    assert bus.committed(group, topic) == 1


def test_case_2_a_stop_logs_the_stack_of_a_hanging_receiver_and_abandons_the_receiver(
    bus: Bus, topic: str, group: str
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "hang", EVENT_BUS_KAFKA_STOP_TIMEOUT=1) as process:
        process.wait_for(lambda: process.heard("hang"))
        assert process.stop() == 2
    assert "receivers.hang still runs. This worker has waited 1 s for it" in process.log
    assert f"Record {topic}:0:0 will be processed again." in process.log
    assert "in hang\n    time.sleep(3600)" in process.log
    assert bus.committed(group, topic) < 0


def test_a_worker_exits_with_2_if_its_last_commit_fails(group: str) -> None:
    with Sandbox() as sandbox:
        bus = SandboxBus(sandbox)
        bus.create_topic("t")
        send(bus, "t", certificate(1))
        with worker(bus, "t", group, "note", EVENT_BUS_KAFKA_COMMIT_INTERVAL=3600) as process:
            process.wait_for_users("note", [1])
            sandbox.fail_next("OffsetCommit", "GROUP_AUTHORIZATION_FAILED", times=99)
            assert process.stop() == 2
        assert "offsets not committed: BrokerError: GROUP_AUTHORIZATION_FAILED" in process.log


def test_case_6_a_second_unix_signal_ends_the_worker_with_exit_code_2(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "hang", EVENT_BUS_KAFKA_STOP_TIMEOUT=60) as process:
        process.wait_for(lambda: process.heard("hang"))
        process.send(signal.SIGINT)
        process.wait_for_log("Stopping")
        process.send(signal.SIGINT)
        assert process.end() == 2


def test_case_17_a_hanging_receiver_delays_only_events_of_the_same_key(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, *map(certificate, (1, 2, 3, 1)))
    limit = {"EVENT_BUS_KAFKA_STOP_TIMEOUT": 1}
    with worker(bus, topic, group, "note,trouble.hang_for_some", {"FAILING": "1"}, lanes=2, **limit) as process:
        process.wait_for(lambda: len(process.users("some")) == 3)
        assert process.stop() == 2
    assert sorted(process.users("note")) == [1, 2, 3]
    assert bus.committed(group, topic) < 0
    with worker(bus, topic, group, "note") as process:
        process.wait_for(lambda: len(process.users("note")) == 4)
    assert sorted(process.users("note")) == [1, 1, 2, 3]


@pytest.mark.parametrize("apps", [OURS_FIRST, OURS_LAST], ids=["app first", "app last"])
def test_a_worker_stops_and_the_event_is_redelivered_when_a_receiver_raises_system_exit(
    bus: Bus, topic: str, group: str, apps: dict[str, Any]
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "leave", **apps) as process:
        assert process.end() == 3
    with worker(bus, topic, group, "note", **apps) as process:
        process.wait_for_users("note", [1])


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_case_13_a_worker_stops_and_the_event_is_redelivered_after_a_base_exception(
    bus: Bus, topic: str, group: str, error: str
) -> None:
    send(bus, topic, *map(certificate, (1, 2, 3)))
    with worker(bus, topic, group, "trouble.fail_for_some", {"FAILING": "2", "RAISES": error}) as process:
        assert process.end() == 3
    assert process.users("some") == [1, 2]
    assert f"A receiver raised {error}" in process.log
    assert bus.committed(group, topic) == 1
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [2, 3])


@pytest.mark.parametrize("error", ["MemoryError", "RecursionError"])
def test_case_13_memory_and_recursion_errors_cause_retries_before_a_dead_letter(
    bus: Bus, topic: str, group: str, error: str
) -> None:
    kept = OnTopic(bus, group).create()
    send(bus, topic, *map(certificate, (1, 2, 3)))
    settings, environment = TWICE | kept.settings, {"FAILING": "2", "RAISES": error}
    with worker(bus, topic, group, "trouble.fail_for_some", environment, **settings) as process:
        process.wait_for_log("stored as a dead letter")
        assert process.stop() == 0
    assert sorted(process.users("some")) == [1, 2, 2, 3]
    (letter,) = kept.read(1)
    assert (letter.record.offset, letter.attempts, letter.failures[0].error) == (1, 2, error)
    assert bus.committed(group, topic) == 3


def test_case_3_an_event_is_delivered_again_if_its_worker_was_killed_before_the_commit(
    bus: Bus, topic: str, group: str
) -> None:
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, "slow", EVENT_BUS_KAFKA_COMMIT_INTERVAL=3600) as process:
        process.wait_for(lambda: process.heard("slow ends"))
        process.send(signal.SIGKILL)
        process.end()
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_case_11_a_new_group_starts_again_at_its_first_event_if_this_event_failed(
    bus: Bus, topic: str, group: str, number: signal.Signals
) -> None:
    send(bus, topic, certificate(1), certificate(2))
    retry: dict[str, Any] = {"EVENT_BUS_KAFKA_RETRY": {"first_delay": 60}}
    with worker(bus, topic, group, "trouble.fail_for_some", {"FAILING": "1"}, **retry) as process:
        process.wait_for_users("some", [1, 2])
        process.send(number)
        assert process.end() == (0 if number == signal.SIGTERM else -number)
    assert bus.committed(group, topic) < 0
    with worker(bus, topic, group, "note") as process:
        process.wait_for_users("note", [1, 2])
        assert process.stop() == 0
    assert bus.committed(group, topic) == 2
