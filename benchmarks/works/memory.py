"""The memory of a process that sends or consumes events."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import event_bus_kafka
from benchmarks.events import KEY_FIELD, SIGNAL, samples
from benchmarks.measurements import Figures
from benchmarks.works.receivers import stop

_SHARES = 10
"""Number of times that the memory is measured, at equal intervals of events."""


class _Receiver:
    """
    A receiver that measures the memory at intervals. It blocks at the very first event for ``hold`` seconds, so that
    the window fills.
    """

    def __init__(self, events: int, hold: float) -> None:
        self.seen: list[float] = []
        self._every = max(events // _SHARES, 1)
        self._events = events
        self._hold = hold
        self._count = count(1)

    def __call__(self, **_: Any) -> None:
        number = next(self._count)
        if number == 1 and self._hold:
            time.sleep(self._hold)
            self.seen.append(resident())
        elif number % self._every == 0:
            self.seen.append(resident())
        if number == self._events:
            stop()


def consume(*, reads: Sequence[str], group: str, events: int, flows: bool, hold: float) -> Figures:
    """
    Return the megabytes of memory of a worker that consumes ``events`` events. ``flows``: whether there are enough
    events to measure growth.
    """
    receiver = _Receiver(events, hold)
    SIGNAL.connect(receiver)
    event_bus_kafka.KafkaEventConsumer(reads, group).consume_indefinitely()
    figures = _figures(receiver.seen, events)
    return {**figures, "growth": _growth(receiver.seen, events)} if flows else figures


def send(*, topic: str, events: int) -> Figures:
    """Return the megabytes of memory of a process that sends ``events`` events."""
    producer, seen = event_bus_kafka.create_producer(), []
    few = samples(1_000)
    for number in range(1, events + 1):
        data, metadata = few[number % len(few)]
        producer.send(signal=SIGNAL, topic=topic, event_key_field=KEY_FIELD, event_data=data, event_metadata=metadata)
        if number % (events // _SHARES) == 0:
            seen.append(resident())
    producer.prepare_for_shutdown()
    return {**_figures(seen, events), "growth": _growth(seen, events)}


def resident(field: str = "VmRSS") -> float:
    """Return the resident memory of this process in megabytes. With the field ``VmHWM``, return its maximum so far."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1_000


def _figures(seen: Sequence[float], events: int) -> Figures:
    return {"events": events, "first": seen[0], "last": seen[-1], "most": resident("VmHWM")}


def _growth(seen: Sequence[float], events: int) -> float:
    """
    Return the growth in megabytes per 100,000 events. Only the second half of the events counts, because caches and
    pools are full by then.
    """
    return (seen[-1] - seen[len(seen) // 2]) / (events / 2) * 100_000
