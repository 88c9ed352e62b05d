"""Tallies add up the counts of many threads. Each thread adds to its own counts, which needs no lock."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial

from event_bus_kafka.telemetry import tallies as process_tallies
from event_bus_kafka.telemetry.metrics import LATENCY, RECEIVER_SECONDS, RECORDS_DONE, RECORDS_SKIPPED
from event_bus_kafka.telemetry.record_tallies import RecordTallies
from event_bus_kafka.telemetry.tallies import OTHER, Tallies

_EACH = 20_000


def in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_concurrent_additions_of_threads_are_not_lost_even_after_the_threads_end() -> None:
    tallies = Tallies()

    def add() -> None:
        for _ in range(_EACH):
            tallies.add(RECORDS_SKIPPED, ("a", "no receiver"))

    tallies.add(RECORDS_SKIPPED, ("b", "no receiver"), 5)
    in_threads(4, add)
    assert tallies.total(RECORDS_SKIPPED) == 4 * _EACH + 5
    assert tallies.total(RECORDS_SKIPPED, event_type="a") == 4 * _EACH
    assert tallies.total(RECORDS_SKIPPED, event_type="b", reason="no receiver") == 5
    assert len(tallies._threads) == 1, "only the sums of ended threads are kept"


def test_durations_are_summed_and_sorted_into_buckets() -> None:
    tallies = Tallies()

    def add() -> None:
        for seconds in (0.05, 0.3, 90_000.0):
            tallies.took(LATENCY, ("a",), seconds)

    in_threads(2, add)
    (tally,) = tallies.read(forget_longest=True).values()
    assert (tally.count, tally.seconds, tally.longest) == (6, 180_000.7, 90_000.0)
    assert {bound: number for bound, number in zip((*tally.bounds, "more"), tally.buckets, strict=True) if number} == {
        0.05: 2,
        0.5: 2,
        "more": 2,
    }
    assert tallies.total(RECORDS_DONE) == 6, "which is counted nowhere else"


def test_the_longest_duration_is_forgotten_after_a_read_with_a_reset() -> None:
    tallies = Tallies()
    longest = []
    for seconds in (3.0, 1.0):
        tallies.took(LATENCY, ("a",), seconds)
        longest.append(next(iter(tallies.read(forget_longest=True).values())).longest)
    assert longest == [3.0, 1.0]


def test_labels_beyond_the_limit_are_counted_under_the_label_other() -> None:
    tallies = Tallies()
    for number in range(10_500):
        tallies.add(RECORDS_SKIPPED, (f"type {number}", "no receiver"))
    assert len(tallies.read()) == 10_001
    assert tallies.total(RECORDS_SKIPPED, event_type=OTHER) == 500


def test_a_forked_child_starts_with_empty_tallies_even_if_the_lock_was_locked() -> None:
    tallies = Tallies()
    tallies.add(RECORDS_SKIPPED, ("a", "no receiver"))
    before = tallies.kept(lambda name: tallies.of(RECORDS_SKIPPED, (name, "no receiver")), "a")
    with tallies._lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)  # a lock that is never released would block the child for ever
            empty = not tallies.read()
            tallies.add(RECORDS_SKIPPED, ("a", "no receiver"))
            os._exit(0 if empty and tallies.total(RECORDS_SKIPPED) == 1 and before.count == 1 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert tallies.total(RECORDS_SKIPPED) == 1


class Receiver:
    """A receiver that has only the attributes that the tallies use."""

    def __init__(self, name: str, dispatch_uid: str | None = None) -> None:
        self.name, self.dispatch_uid = name, dispatch_uid


class Service:
    """A service whose receiver is a method. Python creates a new method object at each access."""

    __hash__ = None  # type: ignore[assignment]

    def method(self) -> None: ...


def test_calls_of_each_receiver_are_counted_separately_and_the_receiver_can_be_garbage_collected() -> None:
    sums, service = RecordTallies("tallies test"), Service()

    def function() -> None: ...

    for name, uid in [("f", None), ("f#1", "1")] * 2:
        sums.of_calls(function, Receiver(name, uid), False).take(1.0)
    for _ in range(4):
        sums.of_calls(service.method, Receiver("m"), False).take(1.0)
    sums.of_calls(function, Receiver("f"), True).take(1.0)
    of = partial(process_tallies.total, RECEIVER_SECONDS, event_type="tallies test")
    assert [of(receiver=name, outcome="done") for name in ("f", "f#1", "m")] == [2, 2, 4]
    assert [of(receiver=name, outcome="failed") for name in ("f", "f#1", "m")] == [1, 0, 0]
    assert {known[0]() for known in sums._calls.values()} <= {function, None}, "a method that nobody holds is gone"
