"""Collects the lifecycle events that occur while a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from event_bus_kafka.telemetry import bus, observe, unobserve
from event_bus_kafka.telemetry.events import LifecycleEvent


@contextmanager
def watched(*kinds: type[LifecycleEvent]) -> Iterator[list[Any]]:
    """Collect the lifecycle events of the given kinds. If no kind is given, collect all lifecycle events."""
    seen: list[Any] = []
    collect = seen.append
    observe(collect, *kinds)
    try:
        yield seen
    finally:
        unobserve(collect)


@contextmanager
def nobody_else_observing() -> Iterator[None]:
    """
    While the block runs, remove all observers. Earlier tests may have left observers, for example the observer that
    writes the log.
    """
    before = bus._observers
    bus._replace({})
    try:
        yield
    finally:
        bus._replace(before)
