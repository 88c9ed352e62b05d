"""
The latency of events: the time from ``send_event`` to the receiver in another process. Also the duration of
``send_event``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import count
from statistics import quantiles
from time import perf_counter, sleep, time
from typing import IO, Any

import attrs
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import get_producer

from benchmarks.events import SIGNAL, samples
from benchmarks.measurements import OURS, Figures
from benchmarks.works.receivers import stop

_WARM_UP_EVERY = 0.05
"""Seconds between two events during the warm-up, which ends when the worker has received enough events."""
_WARM_UP = 20
"""Number of events that the receiver gets during the warm-up."""
_COUNTED = "counted"
"""The mode of the certificates in measured events. Events of the warm-up have another mode."""


class _Receiver:
    """
    A receiver that records the age of events. After the warm-up it writes a line to ``warm``, which starts the
    measurement.
    """

    def __init__(self, number: int, warm: IO[str], end: Callable[[], object]) -> None:
        self.ages: list[float] = []
        self._number = number
        self._end = end
        self._warm_up = count(1)
        self._warm = warm

    def __call__(self, *, certificate: Any, metadata: EventsMetadata, **_: Any) -> None:
        if certificate.mode == _COUNTED:
            self.ages.append(time() - metadata.time.timestamp())
            if len(self.ages) == self._number:
                self._end()
        elif next(self._warm_up) == _WARM_UP:
            self._warm.write("\n")
            self._warm.flush()


def measure(*, variant: str, topic: str, group: str, rate: float, events: int) -> Figures:
    """
    Send and consume ``rate`` events per second. Return percentiles of two durations: from ``send_event`` to the
    receiver, in milliseconds, and of ``send_event`` itself, in microseconds.
    """
    arguments = json.dumps({"rate": rate, "events": events})
    command = [sys.executable, "-m", "benchmarks.process", "latency.emit", arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdin is not None  # Popen was called with pipes
        assert sender.stdout is not None
        package = "event_bus_kafka" if variant == OURS else "edx_event_bus_kafka"
        worker = import_module(package).KafkaEventConsumer(topic, group)
        receiver = _Receiver(events, sender.stdin, stop if variant == OURS else worker._shut_down)
        SIGNAL.connect(receiver)
        worker.consume_indefinitely()
        sent = json.loads(sender.stdout.read())
    return {"events": events, **_percentiles("age", receiver.ages, 1e3), **sent}


def emit(*, rate: float, events: int) -> Figures:
    """
    Send events like a service. Send them slowly until standard input has a line, then send ``events`` events at
    ``rate`` per second. Return percentiles of the duration of ``send_event``.
    """
    may_begin = threading.Event()
    threading.Thread(target=_await_line, args=(may_begin,), daemon=True).start()
    ((warm_up, _),) = samples(1)
    while not may_begin.wait(_WARM_UP_EVERY):
        SIGNAL.send_event(**warm_up)
    counted = [{"certificate": attrs.evolve(data["certificate"], mode=_COUNTED)} for data, _ in samples(events)]
    calls = _timed_calls(counted, rate)
    get_producer().prepare_for_shutdown()
    return _percentiles("call", calls, 1e6)


def _await_line(came: threading.Event) -> None:
    sys.stdin.readline()
    came.set()


def _timed_calls(events: Sequence[dict[str, Any]], rate: float) -> list[float]:
    """Call ``send_event`` at fixed times; return the durations. A late call does not delay the following calls."""
    calls, began = [], perf_counter()
    for number, data in enumerate(events):
        sleep(max(began + number / rate - perf_counter(), 0.0))
        before = perf_counter()
        SIGNAL.send_event(**data)
        calls.append(perf_counter() - before)
    return calls


def _percentiles(name: str, seconds: Sequence[float], unit: float) -> Figures:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {f"{name}_p50": cuts[49] * unit, f"{name}_p99": cuts[98] * unit, f"{name}_most": max(seconds) * unit}
