"""A table with the function that logs each kind of lifecycle event. Each module of log lines has such a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

Event = TypeVar("Event", bound=LifecycleEvent)
Line = Callable[[Event, LogFilter], None]
"""A function that logs a lifecycle event, unless the filter suppresses the line."""


class Lines(dict[type[LifecycleEvent], Line[Any]]):
    """Kind of lifecycle event → the function that logs events of this kind."""

    def of(self, kind: type[Event]) -> Callable[[Line[Event]], Line[Event]]:
        """Return a decorator that registers a function for ``kind``."""

        def add(line: Line[Event]) -> Line[Event]:
            self[kind] = line
            return line

        return add
