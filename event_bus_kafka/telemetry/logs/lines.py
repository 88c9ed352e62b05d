"""The table of one area's log lines: a function per kind of lifecycle event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.logs.log_filter import LogFilter

Event = TypeVar("Event", bound=LifecycleEvent)
Line = Callable[[Event, LogFilter], None]
"""Logs one lifecycle event, unless the filter suppresses it."""


class Lines(dict[type[LifecycleEvent], Line[Any]]):
    """The functions that log the lifecycle events of one area, by kind."""

    def of(self, kind: type[Event]) -> Callable[[Line[Event]], Line[Event]]:
        """Return a decorator that adds the function for ``kind``."""

        def add(line: Line[Event]) -> Line[Event]:
            self[kind] = line
            return line

        return add
