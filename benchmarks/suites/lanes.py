"""The suite for lanes: their gain for receivers that wait, and their cost for receivers that compute."""

from __future__ import annotations

from benchmarks.measurements import Case, Comparison, Filled, Suite
from benchmarks.plan import Plan

LANES = (1, 4, 16, 64)
_RECEIVERS = {"nothing": "do nothing", "sleep": "sleep 10 ms", "row": "write a row (PostgreSQL)"}
_IDEAL_GOALS = {16: 93.0, 64: 88.0}
"""Number of lanes → the goal for the throughput, in percent of the ideal throughput, which is lanes ÷ 10 ms."""
_COMPUTING_GOAL = 1.15
_ROWS = 4
"""
In cases whose receivers write a row, the number of events is divided by this number, since such receivers are slow.
"""
_WARM_UP = "lanes-warm-up"


def lanes(plan: Plan) -> Suite:
    """Return the suite, which has a case for each number of lanes with each kind of receiver."""
    events = {(number, receiver): _events(plan, number, receiver) for receiver in _RECEIVERS for number in LANES}
    return Suite(
        name="lanes",
        about="1, 4, 16 and 64 lanes, with receivers that do nothing, sleep 10 ms, or write a row",
        columns={"rate": "events/s", "cpu": "CPU µs/event", "ideal": "% of ideal"},
        plots=["rate", "ideal"],
        cases=[_case(plan, number, receiver, count) for (number, receiver), count in events.items()],
        comparisons=[
            *(
                Comparison(
                    text=f"CPU per event, receivers that do nothing: {number} lanes ÷ 1 lane",
                    of=_name(number, "nothing"),
                    to=_name(1, "nothing"),
                    figure="cpu",
                    most=_COMPUTING_GOAL if number == 16 else None,
                )
                for number in LANES[1:]
            ),
            *(
                Comparison(
                    text=f"receivers that sleep 10 ms, {number} lanes: % of lanes ÷ 10 ms",
                    of=_name(number, "sleep"),
                    figure="ideal",
                    least=goal,
                )
                for number, goal in _IDEAL_GOALS.items()
            ),
        ],
        topics={_topic(count): Filled(events=count) for count in events.values()}
        | {_WARM_UP: Filled(events=plan.warm_up)},
    )


def _events(plan: Plan, number: int, receiver: str) -> int:
    if receiver == "sleep":
        return plan.per_lane * number
    return plan.events // (_ROWS if receiver == "row" else 1)


def _case(plan: Plan, number: int, receiver: str, events: int) -> Case:
    return Case(
        name=_name(number, receiver),
        work="consuming.consume_on_lanes",
        arguments={
            "lanes": number,
            "receiver": receiver,
            "events": events,
            "warm_up": min(plan.warm_up, plan.per_lane * number),
        },
        settings={"EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY": number},
        reads=(_WARM_UP, _topic(events)),
        database="postgresql" if receiver == "row" else "",
    )


def _name(number: int, receiver: str) -> str:
    return f"{_RECEIVERS[receiver]}, {number} lane{'s' * (number > 1)}"


def _topic(events: int) -> str:
    return f"lanes-{events}"
