"""
A worker counts as unable to replay if live events occupy all its lanes for minutes, or if its polling thread hangs for
30 seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from event_bus_kafka.consuming.progress import Delivery, Detached, PartitionProgress
from event_bus_kafka.dispatching.outcomes import DONE
from event_bus_kafka.replaying.standstill import Standstill

_PARTITION = PartitionProgress("t", 0)
LIVE, NEXT = (Delivery(None, _PARTITION, offset, 0) for offset in range(2))
LETTER = Detached(None, _PARTITION, 2, 0, process=lambda _: DONE)


@pytest.mark.parametrize(
    ("looks", "stands"),
    [
        ([(LIVE, NEXT)] * 2, True),
        ([(LIVE, None)] * 2, False),
        ([(LIVE, LETTER)] * 2, False),
        ([(LIVE, NEXT), (NEXT, LIVE)], False),
        ([()] * 2, False),
    ],
    ids=["all lanes occupied", "a lane is free", "a letter runs", "lanes change records", "records unknown"],
)
def test_lanes_count_as_stuck_only_if_live_events_occupy_all_lanes_for_minutes(
    looks: list[Sequence[Delivery | None]], stands: bool
) -> None:
    now, records = 0.0, iter(looks)
    standstill = Standstill(lambda: next(records), lambda: now)
    assert standstill.reason() == ""
    now = 301.0
    standstill.turned()
    assert ("have kept all of its lanes" in standstill.reason()) == stands


def test_a_polling_thread_counts_as_stuck_if_it_has_reported_nothing_for_30_seconds() -> None:
    now = 0.0
    standstill = Standstill(tuple, lambda: now)
    now = 29.0
    assert standstill.reason() == ""
    now = 31.0
    assert "its polling thread" in standstill.reason()
    standstill.turned()
    assert standstill.reason() == ""
