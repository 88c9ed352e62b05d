"""The suites of ``make benchmark``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.measurements import Suite
from benchmarks.plan import Plan
from benchmarks.suites.cost import cost
from benchmarks.suites.heap import heap
from benchmarks.suites.idle import idle
from benchmarks.suites.lanes import lanes
from benchmarks.suites.latency import latency
from benchmarks.suites.memory import memory
from benchmarks.suites.relay import relay
from benchmarks.suites.start import start

SUITES: Mapping[str, Callable[[Plan], Suite]] = {
    one.__name__: one for one in (cost, relay, lanes, latency, memory, heap, start, idle)
}
DEFAULT = ("cost", "relay")
