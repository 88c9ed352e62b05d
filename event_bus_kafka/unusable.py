"""
Stands in for the consumer where this package cannot be imported.

openedx-events takes a consumer that does nothing for one that it cannot load, and its command exits with 0.
"""

from __future__ import annotations

from typing import Any

from openedx_events.event_bus import EventBusConsumer

from event_bus_kafka.shown import logger_named

logger = logger_named(__name__)


def unusable_consumer(error: Exception) -> type[EventBusConsumer]:
    """Return a consumer that tells why it cannot consume, and ends with exit code 1."""

    class UnusableConsumer(EventBusConsumer):  # type: ignore[misc]
        def __init__(self, *_: Any, **__: Any) -> None:
            """Whatever it is given."""

        def consume_indefinitely(self) -> None:
            logger.error("Cannot consume events: event_bus_kafka cannot be imported", exc_info=error)
            raise SystemExit(1)

    return UnusableConsumer
