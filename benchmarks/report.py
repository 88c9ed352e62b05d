"""Formats the results, as text for people and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import confluent_kafka

from benchmarks.measurements import Results
from benchmarks.plan import Plan
from tests.services.downloads import APICURIO_VERSION, KAFKA_VERSION

_PACKAGES = ("edx-event-bus-kafka", "openedx-events", "Django", "confluent-kafka", "fastavro")
_THREAD = "cpu: "
"""Prefix of the names of figures that are about a single thread."""


def as_text(results: Sequence[Results], plan: Plan) -> str:
    """Return the tables of all suites, followed by the numbers of events and a description of the machine."""
    about = [f"{name}: {value}" for name, value in surroundings().items()]
    return "\n".join([line for one in results for line in [*_suite(one), ""]] + [counts(results, plan), *about])


def _suite(results: Results) -> list[str]:
    threads = thread_rows(results)
    return [
        f"{results.suite.name}: {results.suite.about}",
        *aligned(figure_rows(results)),
        *([""] * bool(results.suite.comparisons)),
        *aligned(comparison_rows(results)),
        *([""] * bool(threads)),
        *aligned(threads),
    ]


def figure_rows(results: Results) -> list[tuple[str, ...]]:
    """
    Return a header row, and a row per case with the medians of its figures. The first figure is followed by its minimum
    and maximum.
    """
    columns = results.suite.columns
    heads = list(columns.values())
    rows = [("", heads[0], "(least–most)", *heads[1:])]
    for case in results.runs:
        figures = [results.figure(case, column) for column in columns]
        spread = "" if figures[0] is None else "({}–{})".format(*map(shown, results.spread(case, next(iter(columns)))))
        rows.append((case, shown(figures[0]), spread, *map(shown, figures[1:])))
    return rows


def comparison_rows(results: Results) -> list[tuple[str, ...]]:
    """Return a row for each comparison, with its value, its goal, and whether the goal is met."""
    rows: list[tuple[str, ...]] = []
    for one in results.suite.comparisons:
        value = results.value(one)
        verdict = f"{one.goal}: {'met' if one.is_met_by(value) else 'NOT MET'}" if one.goal else ""
        rows.append((one.text, f"{value:.1f}" if value >= 20 else f"{value:.2f}", verdict))
    return rows


def thread_rows(results: Results) -> list[tuple[str, ...]]:
    """Return a header row, and a row per case and thread. Cases without figures of threads have no row."""
    rows = [
        (case, name, f"{results.figure(case, figure):.2f}", f"{results.figure(case, f'wakes: {name}'):.1f}")
        for case, runs in results.runs.items()
        for figure in runs[0]
        if figure.startswith(_THREAD) and (name := figure.removeprefix(_THREAD))
    ]
    return [("", "thread", "CPU ms/s", "wakes/s"), *rows] if rows else []


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a line per row, with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def shown(figure: float | None) -> str:
    """
    Return a figure as text; empty if there is no figure. The text has two decimals, but only one from 10 on, and none
    from 1000 on.
    """
    if figure is None:
        return ""
    return f"{figure:,.0f}" if abs(figure) >= 1_000 else f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"


def counts(results: Sequence[Results], plan: Plan) -> str:
    """Return a sentence with the numbers of runs and events."""
    rounds = sorted({len(runs) for one in results for runs in one.runs.values()})
    often = f"{' or '.join(map(str, rounds))} run{'s' * (rounds[-1] > 1)}"
    return (
        f"Medians of {often}; of {plan.events:,} events each where a case says nothing else, after {plan.warm_up:,} to "
        f"warm up, and of {plan.backlog:,} relayed."
    )


def as_data(results: Sequence[Results], plan: Plan) -> dict[str, Any]:
    """Return all results for JSON, including every single run."""
    return {
        "plan": attrs.asdict(plan),
        "counts": counts(results, plan),
        "surroundings": surroundings(),
        "suites": [_data(one) for one in results],
    }


def _data(results: Results) -> dict[str, Any]:
    suite = results.suite
    return {
        "suite": suite.name,
        "about": suite.about,
        "columns": dict(suite.columns),
        "plots": list(suite.plots),
        "cases": {
            name: {"medians": _medians(results, name), "runs": list(runs)} for name, runs in results.runs.items()
        },
        "comparisons": [
            {"text": one.text, "value": value, "goal": one.goal, "met": one.is_met_by(value) if one.goal else None}
            for one in suite.comparisons
            for value in [results.value(one)]
        ],
        "tables": {
            "figures": figure_rows(results),
            "comparisons": comparison_rows(results),
            "threads": thread_rows(results),
        },
    }


def _medians(results: Results, case: str) -> Mapping[str, float | None]:
    return {name: results.figure(case, name) for name in results.runs[case][0]}


def surroundings() -> dict[str, str]:
    """Return a description of the machine and its software."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, load {load} at the end",
        "python": f"{platform.python_version()} on {platform.system()} {platform.release()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "librdkafka": confluent_kafka.libversion()[0],
        "services": f"Apache Kafka {KAFKA_VERSION}, Apicurio {APICURIO_VERSION}, one broker, one partition per topic",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
