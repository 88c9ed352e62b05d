"""The suite for the memory of processes, and for the growth of this memory."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measurements import Case, Comparison, Filled, Suite
from benchmarks.plan import Plan

_FLAT = 1.0
"""Maximum growth in megabytes per 100,000 events that counts as no growth."""
_TOPICS = 10
_WINDOWS = (100, 1_000, 10_000, 100_000)
_BACKLOGS = (1, 10)
_SENDS, _CONSUMES = "send", "consume"
_TIMES_TO_SEND = 4
"""Factor on the number of sent events: memory for records in flight grows over the first 400,000 events."""


def memory(plan: Plan) -> Suite:
    """
    Return the suite. It has cases with a long flow of events, and cases that each vary one possible cause of growth.
    """
    flow, few = plan.flow, plan.flow // 10
    several = [f"memory-topic-{number}" for number in range(_TOPICS)]
    backlogs = {times: f"memory-backlog-{times}" for times in _BACKLOGS}
    return Suite(
        name="memory",
        about="megabytes of processes: per 100,000 events, by topics, keys, window and backlog",
        columns={
            "growth": "growth, MB/100,000 events",
            "first": "MB at first",
            "last": "MB at last",
            "most": "MB at most",
        },
        plots=["most", "growth"],
        cases=[
            Case(name=_SENDS, work="memory.send", arguments={"topic": "memory-sent", "events": _TIMES_TO_SEND * flow}),
            _case(_CONSUMES, ["memory-flow"], flow),
            _case(f"consume, {_TOPICS} topics", several, flow),
            _case("consume, as many keys as events", ["memory-keys"], flow),
            *(
                _case(
                    f"window of {window:,}, full at first",
                    ["memory-few-keys"],
                    few,
                    flows=False,
                    window=window,
                    hold=plan.hold,
                )
                for window in _WINDOWS
            ),
            *(
                _case(f"backlog of {few * times:,}, {few:,} of it consumed", [topic], few, flows=False)
                for times, topic in backlogs.items()
            ),
        ],
        comparisons=[
            Comparison(text=f"{name}: MB per 100,000 events", of=name, figure="growth", most=_FLAT)
            for name in (_SENDS, _CONSUMES)
        ],
        topics={
            "memory-sent": Filled(events=0),
            "memory-flow": Filled(events=flow),
            "memory-keys": Filled(events=flow, learners=flow),
            "memory-few-keys": Filled(events=few, learners=50),
            **{topic: Filled(events=flow // _TOPICS) for topic in several},
            **{topic: Filled(events=few * times) for times, topic in backlogs.items()},
        },
        rounds=1,
    )


def _case(
    name: str, reads: Sequence[str], events: int, *, flows: bool = True, window: int = 10_000, hold: float = 0.0
) -> Case:
    return Case(
        name=name,
        work="memory.consume",
        arguments={"events": events, "flows": flows, "hold": hold},
        settings={"EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS": window},
        reads=reads,
    )
