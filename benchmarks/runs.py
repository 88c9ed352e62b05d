"""
Runs the cases of a suite one after another, on real servers. There are several rounds, and each run has a new process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from benchmarks.measurements import Case, Figures, Filled, Results, Suite
from benchmarks.plan import Plan
from tests.services.bus import Bus

_ROOT = Path(__file__).parent.parent
_PATIENCE = 900.0
"""Maximum number of seconds that one process may take."""


@attrs.frozen(kw_only=True)
class Services:
    """The running servers."""

    kafka: Bus
    sandbox: Bus | None = None
    """The sandbox; None if no case uses it."""
    databases: Mapping[str, dict[str, Any]] = attrs.field(factory=dict)
    """Entries of DATABASES by vendor."""

    def bus_of(self, case: Case) -> Bus:
        """Return the bus that a case uses."""
        return self.sandbox if case.sandbox and self.sandbox is not None else self.kafka


def measure(suite: Suite, plan: Plan, services: Services, tell: Callable[[str], None]) -> Results:
    """Return the figures of all cases. ``tell`` is called with texts about the progress."""
    _fill(suite, services, tell)
    rounds = plan.rounds or suite.rounds
    runs: dict[str, list[Figures]] = {case.name: [] for case in suite.cases}
    for number in range(1, rounds + 1):
        for case in suite.cases:
            tell(f"{suite.name}, round {number} of {rounds}: {case.name}")
            runs[case.name].append(_run_round(case, number, services))
    return Results(suite=suite, runs=runs)


def _fill(suite: Suite, services: Services, tell: Callable[[str], None]) -> None:
    """Create the topics of a suite and fill them with events, on each bus that a case uses."""
    used: dict[Bus, set[str]] = {}
    for case in suite.cases:
        written = filter(None, [case.arguments.get("topic")])
        used.setdefault(services.bus_of(case), set()).update(case.reads, written)
    for bus, names in used.items():
        topics = {name: suite.topics[name] for name in sorted(names)}
        tell(f"{suite.name}: {sum(one.events for one in topics.values()):,} events for {len(topics)} topics")
        _fill_topics(bus, topics)


def _fill_topics(bus: Bus, topics: Mapping[str, Filled]) -> None:
    for name in topics:
        bus.create_topic(name)
    filled = {name: (one.events, one.learners) for name, one in topics.items() if one.events}
    if filled:
        _run(Case(name="fill", work="sending.fill"), {"topics": filled}, bus)
    for name, (events, _) in filled.items():
        if bus.end_of(name) != events:
            raise RuntimeError(f"Topic {name} has not got {events:,} events.")


def _run_round(case: Case, number: int, services: Services) -> Figures:
    bus, arguments = services.bus_of(case), dict(case.arguments)
    group = "-".join("".join(one if one.isalnum() else " " for one in f"{case.name} {number}").split())
    reads = list(case.reads)
    if case.topic:
        arguments["topic"] = f"{case.topic}-{number}"
        bus.create_topic(arguments["topic"])
        arguments["group"] = group
    if reads:
        arguments |= {"reads": reads, "group": group}
        for topic in reads:
            bus.commit(group, topic, 0)  # all variants start here; otherwise edx-event-bus-kafka would start at the end
    return _run(case, arguments, bus, services.databases.get(case.database))


def _run(case: Case, arguments: Mapping[str, Any], bus: Bus, database: dict[str, Any] | None = None) -> Figures:
    given = {
        "servers": bus.bootstrap_servers,
        "registry": bus.schema_registry_url,
        "database": database,
        "topics": [arguments["topic"]] if "topic" in arguments else [],
        "settings": dict(case.settings),
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.process", case.work, json.dumps(arguments)],
        cwd=_ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "benchmarks.settings", "BENCHMARK": json.dumps(given)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=_PATIENCE,
        check=True,
    )
    figures: Figures = json.loads(done.stdout)
    return figures
