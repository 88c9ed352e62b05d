"""The results, for people and for machines."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import confluent_kafka

from benchmarks.measurements import BARE, BARE_PRODUCER, OURS, PUBLISHED, Relayed, Summary
from benchmarks.runs import Plan
from tests.services.downloads import APICURIO_VERSION, KAFKA_VERSION

NAMES = {
    OURS: "this package",
    PUBLISHED: "edx-event-bus-kafka",
    BARE: "bare loop",
    BARE_PRODUCER: "bare producer",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
}
_PACKAGES = ("edx-event-bus-kafka", "openedx-events", "Django", "confluent-kafka", "fastavro")
_HEAD = ("", "", "CPU µs/event", "(least–most)", "events/s", "CPU ÷ ours", "goal")
_RELAY_HEAD = (*_HEAD[:-2], "rate ÷ bare", "goal")


def as_table(summaries: Sequence[Summary], relayed: Sequence[Relayed], plan: Plan) -> str:
    """Return two tables, with what was counted and on what below."""
    counts = (
        f"Medians of {plan.rounds} runs of {plan.events:,} events each, and of {plan.backlog:,} relayed, after "
        f"{plan.warm_up:,} to warm up; {'with' if plan.audit_log else 'without'} audit log."
    )
    about = [f"{name}: {value}" for name, value in _surroundings().items()]
    return "\n".join([*_table(_HEAD, summaries), "", *_table(_RELAY_HEAD, relayed), "", counts, *about])


def _table(head: tuple[str, ...], summaries: Sequence[Summary | Relayed]) -> list[str]:
    return aligned([head, *map(_row, summaries)])


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a line per row, with columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def as_json(summaries: Sequence[Summary], relayed: Sequence[Relayed], plan: Plan) -> str:
    """Return the same, with every single run."""
    results = [*map(_result, summaries), *map(_result, relayed)]
    return json.dumps({"plan": attrs.asdict(plan), "surroundings": _surroundings(), "results": results}, indent=2)


def _row(summary: Summary | Relayed) -> tuple[str, ...]:
    least, most = summary.spread
    goal = "" if summary.goal is None else f"≥ {summary.goal:g}: {'met' if summary.is_met else 'NOT MET'}"
    return (
        summary.operation,
        NAMES[summary.variant],
        f"{summary.cpu_per_event:.1f}",
        f"({least:.1f}–{most:.1f})",
        f"{summary.events_per_second:,.0f}",
        f"{summary.ratio:.2f}",
        goal,
    )


def _result(summary: Summary | Relayed) -> dict[str, Any]:
    return {
        "operation": summary.operation,
        "variant": summary.variant,
        "cpu_us_per_event": summary.cpu_per_event,
        "events_per_second": summary.events_per_second,
        "ratio": summary.ratio,
        "goal": summary.goal,
        "met": summary.is_met,
        "runs": [attrs.asdict(run) for run in summary.runs],
    }


def _surroundings() -> dict[str, str]:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, load {load} at the end",
        "python": f"{platform.python_version()} on {platform.system()} {platform.release()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "librdkafka": confluent_kafka.libversion()[0],
        "services": f"Apache Kafka {KAFKA_VERSION}, Apicurio {APICURIO_VERSION}, one broker, one partition",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
