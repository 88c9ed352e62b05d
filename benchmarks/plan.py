"""The numbers that determine how much is measured."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Plan:
    """Numbers of events and of seconds from which suites create their cases."""

    events: int
    """Events per run."""
    warm_up: int
    """Number of events at the start of each run that are not measured."""
    backlog: int
    """Rows in the outbox before a relay starts."""
    per_lane: int
    """Number of events per lane in cases whose receivers wait."""
    flow: int
    """Events of a run that measures memory."""
    heap: int
    """Number of objects that are created before a worker starts."""
    seconds: float
    """Seconds for which an idle process is measured, and for which events are sent to measure their latency."""
    settle: float
    """Seconds that a process gets after its start to become idle."""
    hold: float
    """Seconds for which a receiver blocks, so that the worker's window becomes full."""
    rounds: int | None = None
    """Number of runs of each case; None: the number that the suite sets."""
    logging: tuple[str, ...] = ("audit",)
    """
    Levels of logging with which processes are measured. Each level has its own cases: see
    ``benchmarks.suites.logging``.
    """


THOROUGH = Plan(
    events=20_000,
    warm_up=2_000,
    backlog=50_000,
    per_lane=400,
    flow=300_000,
    heap=1_000_000,
    seconds=20.0,
    settle=3.0,
    hold=5.0,
)
QUICK = Plan(
    events=500,
    warm_up=100,
    backlog=500,
    per_lane=5,
    flow=1_000,
    heap=1_000,
    seconds=0.5,
    settle=0.1,
    hold=0.2,
    rounds=1,
)
