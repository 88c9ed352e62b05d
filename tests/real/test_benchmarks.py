"""
Some cases of each suite of the benchmark run, most of them on real servers. The tests do not judge the figures, because
people judge them on a quiet machine.
"""

from __future__ import annotations

import attrs
import pytest

from benchmarks.plan import QUICK
from benchmarks.runs import Services, measure
from benchmarks.suites import SUITES
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import RealBus, SandboxBus
from tests.services.postgresql import PostgreSQL

CASES = {
    "cost": [case.name for case in SUITES["cost"](QUICK).cases],
    "relay": ["PostgreSQL", "bare producer"],
    "lanes": ["sleep 10 ms, 4 lanes", "write a row (PostgreSQL), 4 lanes"],
    "latency": ["20 events/s, edx-event-bus-kafka", "500 events/s, this package"],
    "memory": ["send", "consume, 10 topics"],
    "heap": ["this package, 1,000 objects before"],
    "start": ["import event_bus_kafka", "create_producer() after it"],
    "idle": ["worker, sandbox", "relay, PostgreSQL", "sender"],
}
"""
The tested cases of each suite. Most suites have only a few tested cases, because each case starts a process. Each start
takes a second or two.
"""


def test_each_suite_of_the_benchmark_has_a_tested_case() -> None:
    assert list(CASES) == list(SUITES)


@pytest.mark.timeout(900)  # six processes, one after the other
@pytest.mark.parametrize("name", CASES)
def test_tested_cases_of_a_benchmark_suite_return_figures_for_each_column_of_the_suite(
    name: str, real_bus: RealBus, postgresql: PostgreSQL, sandbox: Sandbox
) -> None:
    databases = {postgresql.vendor: postgresql.settings("benchmarks")}
    services = Services(kafka=real_bus, sandbox=SandboxBus(sandbox), databases=databases)
    suite = SUITES[name](QUICK)
    chosen = attrs.evolve(suite, cases=[case for case in suite.cases if case.name in CASES[name]], comparisons=())
    results = measure(chosen, QUICK, services, tell=lambda _: None)
    assert list(results.runs) == CASES[name]
    shown = {name for runs in results.runs.values() for figures in runs for name in figures}
    assert set(chosen.columns) <= shown
    for case in chosen.cases:
        wanted = case.arguments.get("events")
        assert [run.get("events") for run in results.runs[case.name]] == [wanted] * (QUICK.rounds or 0), case.name
