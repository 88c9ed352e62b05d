"""
A worker with several lanes processes the events of each key in order, also after stops and rebalances. It processes
each event once, except that the sandbox may deliver some events again after a rebalance.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import Bus, SandboxBus
from tests.support.examples_of import certificate
from tests.support.order import assert_first_in_order, assert_in_order, each_protocol, ended, event, numbered
from tests.support.scale import scaled
from tests.support.sending import send
from tests.support.workers import OURS_FIRST, worker


def most_at_once(lines: list[dict[str, Any]]) -> int:
    running = most = 0
    for line in sorted(lines, key=lambda line: line["at"]):
        running += 1 if line["what"] == "begins" else -1
        most = max(most, running)
    return most


def test_lanes_keep_the_order_of_a_key_while_events_of_other_keys_run(bus: Bus, topic: str, group: str) -> None:
    users = list(range(1, 9))
    send(bus, topic, *numbered(users, 4))
    with worker(bus, topic, group, "trouble.endure", {"SECONDS": "0.2"}, lanes=8) as process:
        ended(process, 32)
        assert process.stop() == 0
    assert_in_order(process.said, 4)
    assert most_at_once(process.said) > 1
    assert bus.committed(group, topic) == 32


def test_the_option_concurrency_sets_the_number_of_lanes(bus: Bus, topic: str, group: str) -> None:
    send(bus, topic, *map(certificate, (1, 2)))
    arguments = ("consume_events", "-t", topic, "-g", group, "--concurrency", "2")
    environment = {"SECONDS": "3600"}
    settings = bus.settings(EVENT_BUS_KAFKA_STOP_TIMEOUT=0.1) | OURS_FIRST
    with ServiceProcess(*arguments, settings=settings, receivers="trouble.endure", environment=environment) as process:
        process.wait_for(lambda: sorted(process.users("begins")) == [1, 2])
        assert process.stop() == 2


def test_no_event_is_processed_twice_after_a_stop_with_many_lanes(bus: Bus, topic: str, group: str) -> None:
    users = list(range(1, 21))
    send(bus, topic, *numbered(users, 5))
    with worker(bus, topic, group, "trouble.endure", {"SECONDS": "0.3"}, lanes=16) as process:
        ended(process, 10)
        assert process.stop() == 0
    first = process.said
    assert len(first) < 200, "the stop came too late to show anything"
    with worker(bus, topic, group, "trouble.endure", lanes=16) as process:
        ended(process, 100 - len(first) // 2)
        assert process.stop() == 0
    assert_in_order(first + process.said, 5)
    assert bus.committed(group, topic) == 100


@pytest.mark.long
def test_case_7_a_receiver_runs_only_once_although_it_exceeds_max_poll_interval(
    bus: Bus, topic: str, group: str
) -> None:
    send(bus, topic, certificate(1), certificate(2))
    seconds, interval = scaled(8, long=90), scaled(6_000, long=30_000)
    options = {"max.poll.interval.ms": interval, "session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}
    changes = {"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": options}
    with worker(bus, topic, group, "trouble.endure", {"SECONDS": str(seconds)}, lanes=2, **changes) as process:
        process.wait_for(lambda: len(process.heard("begins")) >= 2)
        process.wait_for(lambda: process.heard("ends"), seconds=seconds + 60)
        ended(process, 2)
        assert process.stop() == 0
    assert sorted(process.users("begins")) == sorted(process.users("ends")) == [1, 2]
    assert "lost" not in process.log
    assert "revoked" not in process.log.partition("Stopping")[0]
    assert bus.committed(group, topic) == 2


@each_protocol
def test_case_8_events_stay_in_order_when_partitions_move_to_a_second_worker(
    bus: Bus, group: str, options: dict[str, Any]
) -> None:
    """
    No event is lost. On real Kafka no event is processed twice. On the sandbox some events may be processed twice,
    because it refuses commits during a rebalance.
    """
    topic = f"moving-{group}"
    bus.create_topic(topic, 4)
    if isinstance(bus, SandboxBus) and "session.timeout.ms" in options:
        options = options | {
            "session.timeout.ms": 2_000
        }  # a little less than the sandbox waits when members join or leave
    users = list(range(1, 17))
    send(bus, topic, *numbered(users, 15))

    def member() -> ServiceProcess:
        changes = {"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": options}
        return worker(bus, topic, group, "trouble.endure", {"SECONDS": "0.1"}, lanes=2, **changes)

    with member() as first:
        ended(first, 5)
        with member() as second:
            second.wait_for_log(f"assigned: {topic}")
            send(bus, topic, *numbered(users, 5, begin=15))  # some remain for the second worker
            second.wait_for(lambda: second.heard("ends"))
            second.wait_for(lambda: len({event(line) for line in first.heard("ends") + second.heard("ends")}) == 320)
            codes = first.stop(), second.stop()
    lines = first.said + second.said
    if isinstance(bus, SandboxBus):  # it refuses commits during a rebalance, so events are delivered again
        assert_first_in_order(lines, users, 20)
    else:
        assert codes == (0, 0)
        assert_in_order(lines, 20)
