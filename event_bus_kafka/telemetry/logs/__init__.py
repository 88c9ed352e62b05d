"""The log lines of lifecycle events: each area of ``events`` has a file of the same name here."""

from event_bus_kafka.telemetry.logs.observer import LoggingObserver

__all__ = ["LoggingObserver"]
