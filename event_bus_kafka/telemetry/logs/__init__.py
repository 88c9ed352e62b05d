"""
The log lines of lifecycle events. For each module of ``events`` a module with the same name here contains the lines.
"""

from event_bus_kafka.telemetry.logs.observer import LoggingObserver

__all__ = ["LoggingObserver"]
