"""Collects the lifecycle events of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from event_bus_kafka.telemetry import bus, observe, unobserve
from event_bus_kafka.telemetry.events import LifecycleEvent


@contextmanager
def watched(*kinds: type[LifecycleEvent]) -> Iterator[list[Any]]:
    """Collect the lifecycle events of ``kinds``, or of all kinds if none is given."""
    seen: list[Any] = []
    collect = seen.append
    observe(collect, *kinds)
    try:
        yield seen
    finally:
        unobserve(collect)


@contextmanager
def nobody_else_observing() -> Iterator[None]:
    """Remove all observers while the block runs, such as a log observer that an earlier test has left."""
    before = bus._observers
    bus._replace({})
    try:
        yield
    finally:
        bus._replace(before)
