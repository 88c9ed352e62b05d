"""The suite for workers in processes that have many objects, like the processes of the LMS."""

from __future__ import annotations

from benchmarks.measurements import NAMES, OURS, PUBLISHED, Case, Comparison, Filled, Suite
from benchmarks.plan import Plan

_GOAL = 1.10
_WARM_UP, _FILLED = "heap-warm-up", "heap-filled"


def heap(plan: Plan) -> Suite:
    """Return the suite, which has two cases for each package: with many objects and without."""
    variants = (OURS, PUBLISHED)
    return Suite(
        name="heap",
        about=f"consuming in a process with {plan.heap:,} objects made before, and without",
        columns={"cpu": "CPU µs/event", "rate": "events/s"},
        plots=["cpu"],
        cases=[_case(plan, variant, objects) for variant in variants for objects in (0, plan.heap)],
        comparisons=[
            Comparison(
                text=f"{NAMES[variant]}: with the objects ÷ without",
                of=_name(variant, plan.heap),
                to=_name(variant, 0),
                figure="cpu",
                most=_GOAL if variant == OURS else None,
            )
            for variant in variants
        ],
        topics={_WARM_UP: Filled(events=plan.warm_up), _FILLED: Filled(events=plan.events)},
    )


def _case(plan: Plan, variant: str, objects: int) -> Case:
    return Case(
        name=_name(variant, objects),
        work="consuming.consume",
        arguments={"variant": variant, "events": plan.events, "warm_up": plan.warm_up, "objects": objects},
        reads=(_WARM_UP, _FILLED),
    )


def _name(variant: str, objects: int) -> str:
    return f"{NAMES[variant]}, {f'{objects:,} objects' if objects else 'nothing'} before"
