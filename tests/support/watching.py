"""Collects the lifecycle events of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from event_bus_kafka.telemetry import bus, observe, unobserve
from event_bus_kafka.telemetry.events import LifecycleEvent


@contextmanager
def watched(*kinds: type[LifecycleEvent]) -> Iterator[list[Any]]:
    """Collect lifecycle events, of some kinds or of all."""
    seen: list[Any] = []
    collect = seen.append
    observe(collect, *kinds)
    try:
        yield seen
    finally:
        unobserve(collect)


@contextmanager
def nobody_else_observing() -> Iterator[None]:
    """Remove the present observers for a block, such as the app's log, which an earlier test may have begun."""
    before = bus._observers
    bus._replace({})
    try:
        yield
    finally:
        bus._replace(before)
