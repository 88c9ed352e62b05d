"""
Under load, workers lose no event, keep the order of each key, and use a constant amount of memory. `make test` runs the
tests with small counts. `make test-long` runs them with large counts and prints figures.

The tests assert counts, and only print times.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic, sleep
from typing import Any

import psutil
import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.support.dead_letters import OnTopic
from tests.support.examples_of import certificate
from tests.support.order import assert_first_in_order, assert_in_order, event, numbered
from tests.support.scale import LONG, scaled
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = [pytest.mark.real, pytest.mark.long]

WINDOW, PARTITIONS = 50, 4


def until(condition: Callable[..., object]) -> None:
    """
    Wait until ``condition`` holds. The checks are rare, because each one reads all lines that the workers have printed.
    """
    deadline = monotonic() + scaled(90, long=3_600)
    while not condition():
        assert monotonic() < deadline, "waited in vain"
        sleep(0.1)


@pytest.fixture
def members() -> Iterator[ExitStack]:
    """Yield a stack that ends all workers after the test."""
    with ExitStack() as members:
        yield members


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_event_is_lost_while_two_workers_are_ended_at_random(
    bus: RealBus, group: str, number: signal.Signals, members: ExitStack
) -> None:
    """
    After SIGTERM no event is delivered again. After SIGKILL, the events of at most one window per partition are
    delivered again.
    """
    topic, users, each, ends = f"load-{group}", 40, scaled(25, long=500), scaled(2, long=20)
    bus.create_topic(topic, PARTITIONS)
    send(bus, topic, *numbered(list(range(users)), each))
    processes: list[ServiceProcess] = []

    def member() -> ServiceProcess:
        settings = {"EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS": WINDOW}
        process = worker(bus, topic, group, "trouble.endure", {"SECONDS": "0.005"}, lanes=4, **settings)
        processes.append(members.enter_context(process))
        return process

    def said() -> list[dict[str, Any]]:
        return [line for process in processes for line in process.said]

    running = [member(), member()]
    for round_ in range(ends):
        goal = users * each * (round_ + 1) // (ends + 1)
        until(lambda goal=goal: len(distinct(said())) >= goal)
        ending = running.pop(random.randrange(2))
        ending.wait_for_log("Running consumer")  # from then on the worker handles signals
        ending.send(number)
        assert ending.end() == (0 if number == signal.SIGTERM else -number), ending.log
        running.append(member())
    until(lambda: len(distinct(said())) == users * each)
    for one in running:
        one.wait_for_log("Running consumer")
    assert [one.stop() for one in running] == [0, 0]
    if number == signal.SIGTERM:
        assert_in_order(said(), each)
    else:
        assert_first_in_order(said(), list(range(users)), each)
        twice = sum(Counter(event(line) for line in said() if line["what"] == "ends").values()) - users * each
        print(f"{users * each} events, {ends} × SIGKILL: {twice} twice")
        assert twice <= ends * WINDOW * PARTITIONS


def distinct(lines: list[dict[str, Any]]) -> set[tuple[int, int]]:
    return {event(line) for line in lines if line["what"] == "ends"}


def test_case_12_a_failing_key_does_not_stop_the_processing_of_other_keys(bus: RealBus, group: str) -> None:
    healthy, each = list(range(1, 21)), scaled(20, long=500)
    rates = {}
    for failing in ("", "0"):
        topic, name = f"failing-{group}-{failing}", f"{group}-{failing}"
        bus.create_topic(topic)
        kept = OnTopic(bus, name).create()
        send(bus, topic, *numbered([0, *healthy], each))
        retry = {
            "EVENT_BUS_KAFKA_RETRY": {"attempts": 3, "first_delay": 0.05, "factor": 1},
            "EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD": 2
            * each,  # all letters may come in a row, after the other events are done
        }
        environment = {"FAILING": failing, "SECONDS": "0.005"}
        with worker(
            bus, topic, name, "trouble.fail_for_some", environment, lanes=4, **retry | kept.settings
        ) as process:
            until(lambda: process.heard("some"))
            began = monotonic()
            until(lambda: healthy_seen(process) == 20 * each)
            rates[failing] = 20 * each / (monotonic() - began)
            letters = each if failing else 0
            until(lambda letters=letters: process.log.count("stored as a dead letter") == letters)
            assert process.stop() == 0
        assert healthy_seen(process) == 20 * each
        assert bus.committed(name, topic) == 21 * each
    print(f"healthy events per second: {rates['']:.0f}, beside a failing key {rates['0']:.0f}")


def healthy_seen(process: ServiceProcess) -> int:
    return sum(user != 0 for user in process.users("some"))


@pytest.mark.parametrize("lanes", [1, 16])
def test_lanes_process_all_events_and_the_share_of_their_ideal_throughput_is_printed(
    bus: RealBus, topic: str, group: str, lanes: int
) -> None:
    count = scaled(300, long=1_000 if lanes == 1 else 10_000)
    send(bus, topic, *map(certificate, (number % 1_000 for number in range(count))))
    with worker(bus, topic, group, "trouble.endure", {"SECONDS": "0.01"}, lanes=lanes) as process:
        until(lambda: len(process.heard("ends")) == count)
        assert process.stop() == 0
    assert bus.committed(group, topic) == count
    times = [line["at"] for line in process.said]
    share = count * 0.01 / lanes / (max(times) - min(times))
    print(f"{count} receivers of 10 ms on {lanes} lanes: {share:.0%} of the ideal")


def test_case_45_the_memory_of_a_worker_does_not_grow(bus: RealBus, topic: str, group: str) -> None:
    """All runs print the memory. Only long runs check it."""
    part = scaled(500, long=20_000)
    sizes = []
    with worker(bus, topic, group, "trouble.count", lanes=4) as process:
        for round_ in range(5):
            send(bus, topic, *map(certificate, range(part)))
            total = (round_ + 1) * part
            until(lambda total=total: counted(process) == total)
            sizes.append(psutil.Process(process.pid).memory_info().rss / 2**20)
        threads = psutil.Process(process.pid).num_threads()
        assert process.stop() == 0
    print(f"MB after each {part} events: {', '.join(f'{size:.1f}' for size in sizes)}; {threads} threads")
    assert bus.committed(group, topic) == 5 * part
    if LONG:
        assert sizes[-1] < sizes[1] * 1.1


def counted(process: ServiceProcess) -> int:
    return max((line["total"] for line in process.heard("count")), default=0)
