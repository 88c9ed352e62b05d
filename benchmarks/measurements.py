"""The figures measured in cases, comparisons between cases, and the goals of the comparisons."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import attrs

OURS, PUBLISHED, BARE = "ours", "published", "bare"
VARIANTS = (OURS, PUBLISHED, BARE)
"""
The code that a case measures: this package, edx-event-bus-kafka, or a bare loop, which calls nothing but Kafka's client
and an Avro codec.
"""
COUNTED = ENCODE, PROCESS = "encode", "process"
"""The parts of sending and consuming whose instructions are counted."""
NAMES = {OURS: "this package", PUBLISHED: "edx-event-bus-kafka", BARE: "bare loop"}

Figures = Mapping[str, float]
"""The measured numbers of one run of a case, by name."""


class Meter:
    """
    Measures the CPU time of this process and the elapsed time. The two measurements may begin and end at different
    moments.
    """

    def __init__(self) -> None:
        self.cpu = 0.0
        self.wall = 0.0
        self._began = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure the CPU time and the elapsed time of the block."""
        cpu = time.process_time()
        self.begin()
        yield
        self.end()
        self.cpu = time.process_time() - cpu

    def begin(self) -> None:
        """Set the elapsed time to zero and measure it from now on."""
        self._began, self.wall = time.perf_counter(), 0.0

    def end(self) -> None:
        """End the measurement of the elapsed time. Only the first call has an effect."""
        self.wall = self.wall or time.perf_counter() - self._began

    def figures(self, events: int) -> Figures:
        """Return the CPU time of all threads in microseconds per event, and events per second of elapsed time."""
        return {"events": events, "cpu": self.cpu / events * 1e6, "rate": events / self.wall}


@attrs.frozen(kw_only=True)
class Filled:
    """A topic that is filled with events before the measurement."""

    events: int
    learners: int = 1_000
    """Number of learners in the events, which is also the number of different keys."""


@attrs.frozen(kw_only=True)
class Case:
    """A measured case. In each round it runs in a new process."""

    name: str
    work: str
    """Module in ``benchmarks.works`` and function, for example ``consuming.consume``."""
    arguments: Mapping[str, Any] = attrs.field(factory=dict)
    """Keyword arguments of the function, passed to the process as JSON."""
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    """Django settings that differ from ``benchmarks.settings``."""
    reads: Sequence[str] = ()
    """Topics that a worker reads from their beginning. Their names and a new group are passed as arguments."""
    topic: str = ""
    """
    Prefix of a topic's name. In each round, a new topic is created; its full name and a new group are passed as
    arguments. Empty: the case needs no new topic.
    """
    database: str = ""
    """Vendor of the database; empty: SQLite in memory, without this package's app."""
    sandbox: bool = False
    """Whether the case uses the sandbox instead of a real Kafka."""


@attrs.frozen(kw_only=True)
class Comparison:
    """
    The figure ``figure`` of the case ``of``, with its goal: at least ``least``, at most ``most``. If ``to`` names a
    case, the figure is divided by the figure of that case in the same round.
    """

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
        """Return whether ``value`` meets the goal."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@attrs.frozen(kw_only=True)
class Suite:
    """
    Cases that are compared. Each round runs every case once, so that a change of the machine's load affects all cases.
    """

    name: str
    about: str
    """A sentence that describes the cases."""
    columns: Mapping[str, str]
    """Figure → heading of its column."""
    plots: Sequence[str]
    """Names of the figures that are plotted."""
    cases: Sequence[Case]
    comparisons: Sequence[Comparison] = ()
    topics: Mapping[str, Filled] = attrs.field(factory=dict)
    rounds: int = 3


@attrs.frozen(kw_only=True)
class Results:
    """All runs of a suite's cases."""

    suite: Suite
    runs: Mapping[str, Sequence[Figures]]
    """Name of a case → the figures of its runs, one run per round."""

    def figure(self, case: str, figure: str) -> float | None:
        """Return the median of a figure over all runs of a case; None if the case has no such figure."""
        values = self._values(case, figure)
        return median(values) if values else None

    def spread(self, case: str, figure: str) -> tuple[float, float]:
        """Return the minimum and the maximum of a figure over all runs of a case."""
        values = self._values(case, figure)
        return min(values), max(values)

    def value(self, comparison: Comparison) -> float:
        """
        Return the median over all rounds. If the comparison divides two figures, both are of the same round, so that a
        machine that slows down affects both.
        """
        of = self._values(comparison.of, comparison.figure)
        if comparison.to is None:
            return median(of)
        return median(
            one / other for one, other in zip(of, self._values(comparison.to, comparison.figure), strict=True)
        )

    def _values(self, case: str, figure: str) -> list[float]:
        return [run[figure] for run in self.runs[case] if figure in run]
