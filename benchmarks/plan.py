"""How much is measured."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Plan:
    """Numbers of events and seconds, from which suites make their cases."""

    events: int
    """Per run."""
    warm_up: int
    """Events of each run that go before and are not measured."""
    backlog: int
    """Events that a relay finds."""
    per_lane: int
    """Events that each lane gets of receivers which wait."""
    flow: int
    """Events of a run that looks at memory."""
    heap: int
    """Objects that are made before a worker starts."""
    seconds: float
    """For which an idle process is watched, and events are sent at a rate."""
    settle: float
    """Seconds after which a process has nothing left to do from its start."""
    hold: float
    """Seconds for which a receiver is held until its window is full."""
    rounds: int | None = None
    """Runs of each case; None: as many as the suite says."""
    logging: tuple[str, ...] = ("audit",)
    """What the processes log, each as cases of their own: see ``benchmarks.suites.logging``."""


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
