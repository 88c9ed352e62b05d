"""What is measured: figures of cases, comparisons between cases, and the goals of these."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import attrs

OURS, PUBLISHED, BARE = "ours", "published", "bare"
VARIANTS = (OURS, PUBLISHED, BARE)
COUNTED = ENCODE, PROCESS = "encode", "process"
"""Parts of sending and consuming of which the instructions are counted."""
NAMES = {OURS: "this package", PUBLISHED: "edx-event-bus-kafka", BARE: "bare loop"}

Figures = Mapping[str, float]
"""What one run of a case gave, by name."""


class Meter:
    """Counts the CPU time of this process between two moments, and the time on the wall between the same or others."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self.wall = 0.0
        self._began = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure what happens inside."""
        cpu = time.process_time()
        self.begin()
        yield
        self.end()
        self.cpu = time.process_time() - cpu

    def begin(self) -> None:
        """Start the clock on the wall, anew."""
        self._began, self.wall = time.perf_counter(), 0.0

    def end(self) -> None:
        """Stop the clock on the wall; what stopped first counts."""
        self.wall = self.wall or time.perf_counter() - self._began

    def figures(self, events: int) -> Figures:
        """Return microseconds of CPU time per event, of all threads, and events per second on the wall."""
        return {"events": events, "cpu": self.cpu / events * 1e6, "rate": events / self.wall}


@attrs.frozen(kw_only=True)
class Filled:
    """A topic that has events before anything is measured."""

    events: int
    learners: int = 1_000
    """Different keys."""


@attrs.frozen(kw_only=True)
class Case:
    """One thing that is measured, in a process of its own in each round."""

    name: str
    work: str
    """Module below ``benchmarks.works`` and function: ``consuming.consume``."""
    arguments: Mapping[str, Any] = attrs.field(factory=dict)
    """Of the function; they go to the process as JSON."""
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    """Django settings that differ."""
    reads: Sequence[str] = ()
    """Topics that a worker reads from their beginning, in a new group that is one more argument."""
    topic: str = ""
    """A topic that is new in each round, and one more argument."""
    database: str = ""
    """Vendor; none: SQLite in memory, and the app is not installed."""
    sandbox: bool = False
    """Whether the sandbox stands in for a real Kafka."""


@attrs.frozen(kw_only=True)
class Comparison:
    """A figure of one case, as a multiple of another case's in the same round, or alone; and its goal."""

    text: str
    of: str
    figure: str
    to: str | None = None
    least: float | None = None
    most: float | None = None

    @property
    def goal(self) -> str:
        """Return the goal as text; empty if there is none."""
        bounds = (("≥", self.least), ("≤", self.most))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)

    def is_met_by(self, value: float) -> bool:
        """Whether a value is within the goal."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@attrs.frozen(kw_only=True)
class Suite:
    """Cases that take turns."""

    name: str
    about: str
    """A sentence: what the cases are."""
    columns: Mapping[str, str]
    """Figure → head of its column."""
    plots: Sequence[str]
    """Figures that are drawn."""
    cases: Sequence[Case]
    comparisons: Sequence[Comparison] = ()
    topics: Mapping[str, Filled] = attrs.field(factory=dict)
    rounds: int = 3


@attrs.frozen(kw_only=True)
class Results:
    """All runs of a suite's cases."""

    suite: Suite
    runs: Mapping[str, Sequence[Figures]]
    """By the case's name, a run per round."""

    def figure(self, case: str, figure: str) -> float | None:
        """Return the median of the runs; None if the case has no such figure."""
        values = self._values(case, figure)
        return median(values) if values else None

    def spread(self, case: str, figure: str) -> tuple[float, float]:
        """Return the least and the most of the runs."""
        values = self._values(case, figure)
        return min(values), max(values)

    def value(self, comparison: Comparison) -> float:
        """Return the median over the rounds: run beside run, so that a machine that gets slower slows both."""
        of = self._values(comparison.of, comparison.figure)
        if comparison.to is None:
            return median(of)
        return median(
            one / other for one, other in zip(of, self._values(comparison.to, comparison.figure), strict=True)
        )

    def _values(self, case: str, figure: str) -> list[float]:
        return [run[figure] for run in self.runs[case] if figure in run]
