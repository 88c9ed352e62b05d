"""All variants one after the other, again and again, each in a process of its own, on a real Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from benchmarks.measurements import (
    BARE_PRODUCER,
    OPERATIONS,
    OURS,
    RELAYED,
    VARIANTS,
    Measurement,
    Relayed,
    Summary,
)
from tests.services.bus import RealBus

_ROOT = Path(__file__).parent.parent
_PATIENCE = 300.0
"""Seconds for one process."""
_SENT, _CONSUMED, _RELAYED = "sent", "consumed", "relayed"
_WARM_UP = "consumed-warm-up"


@attrs.frozen(kw_only=True)
class Plan:
    """How much is measured."""

    events: int
    """Per run."""
    warm_up: int
    """Events of each run that go before and are not measured."""
    backlog: int
    """Events that a relay finds."""
    rounds: int
    audit_log: bool = True
    """Whether both packages log each event, as they do by default."""


THOROUGH = Plan(events=20_000, warm_up=2_000, backlog=50_000, rounds=7)
QUICK = Plan(events=500, warm_up=100, backlog=500, rounds=1)


def measure(bus: RealBus, plan: Plan, tell: Callable[[str], None]) -> list[Summary]:
    """Return a summary per operation and variant; ``tell`` hears of the progress."""
    for topic in (_SENT, _CONSUMED, _WARM_UP):
        bus.create_topic(topic)
    for topic, count in ((_CONSUMED, plan.events), (_WARM_UP, plan.warm_up)):
        _run(bus, plan, "send", OURS, topic=topic, events=count, warm_up=0)
    runs: dict[tuple[str, str], list[Measurement]] = {}
    for number in range(plan.rounds):
        for operation in OPERATIONS:
            for variant in VARIANTS:
                tell(f"round {number + 1} of {plan.rounds}: {operation}, {variant}")
                one = (_send if operation == "send" else _consume)(bus, plan, variant, number)
                runs.setdefault((operation, variant), []).append(one)
    return [
        Summary(operation=operation, variant=variant, runs=found, ours=runs[operation, OURS])
        for (operation, variant), found in runs.items()
    ]


def measure_relay(
    bus: RealBus, databases: Mapping[str, dict[str, Any]], plan: Plan, tell: Callable[[str], None]
) -> list[Relayed]:
    """Return the same of a relay, by the databases' vendors, and of a bare producer."""
    bus.create_topic(_RELAYED)
    runs: dict[str, list[Measurement]] = {}
    for number in range(plan.rounds):
        for variant in RELAYED:
            tell(f"round {number + 1} of {plan.rounds}: relay, {variant}")
            options: dict[str, int | str] = {"topic": _RELAYED, "events": plan.backlog, "warm_up": plan.warm_up}
            one = _run(bus, plan, "relay", variant, databases.get(variant), **options)
            runs.setdefault(variant, []).append(one)
    return [
        Relayed(operation="relay", variant=variant, runs=found, bare=runs[BARE_PRODUCER])
        for variant, found in runs.items()
    ]


def _send(bus: RealBus, plan: Plan, variant: str, _number: int) -> Measurement:
    return _run(bus, plan, "send", variant, topic=_SENT, events=plan.events, warm_up=plan.warm_up)


def _consume(bus: RealBus, plan: Plan, variant: str, number: int) -> Measurement:
    group = f"{variant}-{number}"
    for topic in (_CONSUMED, _WARM_UP):
        bus.commit(group, topic, 0)  # where all begin: left alone, the published package begins at the end
    return _run(bus, plan, "consume", variant, topic=_CONSUMED, events=plan.events, warm_up=plan.warm_up, group=group)


def _run(
    bus: RealBus,
    plan: Plan,
    operation: str,
    variant: str,
    database: dict[str, Any] | None = None,
    **options: int | str,
) -> Measurement:
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.process", operation, variant, *arguments],
        cwd=_ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "BENCHMARK_SERVERS": bus.bootstrap_servers,
            "BENCHMARK_REGISTRY": bus.schema_registry_url,
            "BENCHMARK_AUDIT_LOG": str(plan.audit_log),
            "BENCHMARK_DATABASE": json.dumps(database),
        },
        stdout=subprocess.PIPE,
        text=True,
        timeout=_PATIENCE,
        check=True,
    )
    return Measurement(**json.loads(done.stdout))
