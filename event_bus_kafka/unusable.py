"""
A consumer that replaces the real consumer if this package cannot be imported. Without this replacement, openedx-events
would use a consumer that does nothing, and the command ``consume_events`` would exit with code 0.
"""

from __future__ import annotations

from typing import Any

from openedx_events.event_bus import EventBusConsumer

from event_bus_kafka.shown import logger_named

logger = logger_named(__name__)


def unusable_consumer(error: Exception) -> type[EventBusConsumer]:
    """Return a consumer class that logs ``error`` and exits with code 1 instead of consuming."""

    class UnusableConsumer(EventBusConsumer):  # type: ignore[misc]
        def __init__(self, *_: Any, **__: Any) -> None:
            """Accept any arguments and ignore them."""

        def consume_indefinitely(self) -> None:
            logger.error("Cannot consume events: event_bus_kafka cannot be imported", exc_info=error)
            raise SystemExit(1)

    return UnusableConsumer
