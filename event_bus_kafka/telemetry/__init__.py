"""
Sending, consuming and relaying emit lifecycle events, which are values. Observers log, count and trace them.

:mod:`~event_bus_kafka.telemetry.events` contains all kinds. An observer is a callable that takes one lifecycle event;
it must neither raise nor block.
"""

from event_bus_kafka.telemetry.bus import emit, flush_observers, is_wanted, observe, unobserve
from event_bus_kafka.telemetry.tallies import Tallies, tallies

__all__ = ["Tallies", "emit", "flush_observers", "is_wanted", "observe", "tallies", "unobserve"]
