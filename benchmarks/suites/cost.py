"""
The suite for the cost of an event, in the process that sends it and in the process that consumes it. Compares this
package, edx-event-bus-kafka and a bare loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measurements import BARE, NAMES, OURS, PUBLISHED, VARIANTS, Case, Comparison, Filled, Suite
from benchmarks.plan import Plan
from benchmarks.suites.logging import AUDIT, LOGGING, named

_OPERATIONS = ("send", "consume")
_PUBLISHED_GOAL = 6.0
_BARE_GOALS = {"send": 1.8, "consume": 3.0}
_FILLED, _WARM_UP, _SENT = "cost-filled", "cost-warm-up", "cost-sent"


def cost(plan: Plan) -> Suite:
    """Return the suite, which has a case for each variant with each level of logging."""
    kinds = [(operation, logging) for logging in plan.logging for operation in _OPERATIONS]
    return Suite(
        name="cost",
        about="CPU time of sending and consuming, beside the published package and a bare loop",
        columns={"cpu": "CPU µs/event", "rate": "events/s"},
        plots=["cpu"],
        cases=[_case(plan, operation, logging, variant) for operation, logging in kinds for variant in VARIANTS],
        comparisons=[one for operation, logging in kinds for one in _comparisons(operation, logging)],
        topics={_FILLED: Filled(events=plan.events), _WARM_UP: Filled(events=plan.warm_up), _SENT: Filled(events=0)},
        rounds=7,
    )


def _case(plan: Plan, operation: str, logging: str, variant: str) -> Case:
    arguments = {"variant": variant, "events": plan.events, "warm_up": plan.warm_up}
    name = _name(operation, logging, variant)
    if operation == "send":
        return Case(name=name, work="sending.send", arguments={**arguments, "topic": _SENT}, settings=LOGGING[logging])
    return Case(
        name=name,
        work="consuming.consume",
        arguments=arguments,
        settings=LOGGING[logging],
        reads=(_WARM_UP, _FILLED),
    )


def _comparisons(operation: str, logging: str) -> Sequence[Comparison]:
    """Return the comparisons, which have goals only if ``logging`` is the default."""
    ours, published, bare = (_name(operation, logging, variant) for variant in (OURS, PUBLISHED, BARE))
    has_goal = logging == AUDIT
    return [
        Comparison(
            text=f"{named(operation, logging)}: {NAMES[PUBLISHED]} ÷ {NAMES[OURS]}",
            of=published,
            to=ours,
            figure="cpu",
            least=_PUBLISHED_GOAL if has_goal else None,
        ),
        Comparison(
            text=f"{named(operation, logging)}: {NAMES[OURS]} ÷ {NAMES[BARE]}",
            of=ours,
            to=bare,
            figure="cpu",
            most=_BARE_GOALS[operation] if has_goal else None,
        ),
    ]


def _name(operation: str, logging: str, variant: str) -> str:
    return named(f"{operation}, {NAMES[variant]}", logging)
