"""
Settings: the one table, the client options made of them, and the routes of events to topics.

Nothing else in the package reads Django's settings.
"""

from event_bus_kafka.conf.settings import settings

__all__ = ["settings"]
