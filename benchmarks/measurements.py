"""What is measured: a cost per event, and what it has to be beside that of others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import attrs

OURS, PUBLISHED, BARE = "ours", "published", "bare"
VARIANTS = (OURS, PUBLISHED, BARE)
OPERATIONS = ("send", "consume")
COUNTED = ENCODE, PROCESS = "encode", "process"
"""Parts of these of which the instructions are counted."""
GOALS = {("send", PUBLISHED): 10.0, ("consume", PUBLISHED): 8.0}
"""How many times as much CPU time as ours a variant should take, at least."""
BARE_PRODUCER = "bare producer"
RELAYED = ("postgresql", "mariadb", BARE_PRODUCER)
RELAY_GOAL = 0.3
"""How fast a relay should be at least, as a part of a bare producer's rate."""


@attrs.frozen(kw_only=True)
class Measurement:
    """One run of one variant, in a process of its own."""

    events: int
    cpu: float
    """Seconds of user and system time, of all threads of the process."""
    wall: float
    """Seconds."""

    @property
    def cpu_per_event(self) -> float:
        """Microseconds."""
        return self.cpu / self.events * 1e6

    @property
    def events_per_second(self) -> float:
        return self.events / self.wall


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


@attrs.frozen(kw_only=True)
class Runs:
    """All runs of one variant."""

    operation: str
    variant: str
    runs: Sequence[Measurement]

    @property
    def cpu_per_event(self) -> float:
        return median(run.cpu_per_event for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        """Least and most microseconds per event."""
        costs = [run.cpu_per_event for run in self.runs]
        return min(costs), max(costs)

    @property
    def events_per_second(self) -> float:
        return median(run.events_per_second for run in self.runs)


@attrs.frozen(kw_only=True)
class Summary(Runs):
    """Beside those of ours: run for run, so that a machine that gets slower slows both."""

    ours: Sequence[Measurement]

    @property
    def ratio(self) -> float:
        """How many times the CPU time of ours."""
        pairs = zip(self.runs, self.ours, strict=True)
        return median(run.cpu_per_event / our.cpu_per_event for run, our in pairs)

    @property
    def goal(self) -> float | None:
        return GOALS.get((self.operation, self.variant))

    @property
    def is_met(self) -> bool | None:
        return None if self.goal is None else self.ratio >= self.goal


@attrs.frozen(kw_only=True)
class Relayed(Runs):
    """Beside those of the bare producer, run for run."""

    bare: Sequence[Measurement]

    @property
    def ratio(self) -> float:
        """What part of the bare producer's rate."""
        pairs = zip(self.runs, self.bare, strict=True)
        return median(run.events_per_second / bare.events_per_second for run, bare in pairs)

    @property
    def goal(self) -> float | None:
        return None if self.variant == BARE_PRODUCER else RELAY_GOAL

    @property
    def is_met(self) -> bool | None:
        return None if self.goal is None else self.ratio >= self.goal
