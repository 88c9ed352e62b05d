"""The log lines of lifecycle events."""

from event_bus_kafka.telemetry.logs.consuming import LoggingObserver

__all__ = ["LoggingObserver"]
