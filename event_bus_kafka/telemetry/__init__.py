"""
The flows emit lifecycle events, which are values; observers log, count and trace them.

``events`` is the closed list. An observer is a callable that takes one lifecycle event; it must neither raise nor wait.
"""

from event_bus_kafka.telemetry.bus import emit, flush_observers, is_wanted, observe, unobserve
from event_bus_kafka.telemetry.tallies import Tallies, tallies

__all__ = ["Tallies", "emit", "flush_observers", "is_wanted", "observe", "tallies", "unobserve"]
