"""What the package tells meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from event_bus_kafka.telemetry import observe, unobserve
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
