"""The suite for an event's latency, and for the time that sending blocks the sender."""

from __future__ import annotations

from benchmarks.measurements import NAMES, OURS, PUBLISHED, Case, Suite
from benchmarks.plan import Plan

_LOW, _HIGH = 20, 500
"""
The low and the high rate, in events per second. The high rate is near the maximum of a machine with two cores that also
runs the broker.
"""


def latency(plan: Plan) -> Suite:
    """
    Return the suite, which has a case for each package with each rate. The high rate keeps edx-event-bus-kafka busy.
    """
    return Suite(
        name="latency",
        about=f"milliseconds from emit to receiver and microseconds in send_event, at {_LOW} and {_HIGH} events/s",
        columns={
            "age_p50": "to receiver, ms p50",
            "age_p99": "to receiver, ms p99",
            "age_most": "most ms",
            "call_p50": "send_event, µs p50",
            "call_p99": "send_event, µs p99",
            "call_most": "most µs",
        },
        plots=["age_p50", "age_p99", "call_p50"],
        cases=[_case(plan, variant, rate) for rate in (_LOW, _HIGH) for variant in (OURS, PUBLISHED)],
    )


def _case(plan: Plan, variant: str, rate: int) -> Case:
    package = "event_bus_kafka" if variant == OURS else "edx_event_bus_kafka"
    return Case(
        name=f"{rate} events/s, {NAMES[variant]}",
        work="latency.measure",
        arguments={"variant": variant, "rate": rate, "events": round(rate * plan.seconds)},
        settings={"EVENT_BUS_PRODUCER": f"{package}.create_producer"},
        topic=f"latency-{variant}-{rate}",
    )
