"""The log lines of lifecycle events. Each module of ``events`` has a module of the same name here with its lines."""

from event_bus_kafka.telemetry.logs.observer import LoggingObserver

__all__ = ["LoggingObserver"]
