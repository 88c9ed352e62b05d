"""Readers of topics, for commands alone: their imports would slow down the start of web processes."""

from __future__ import annotations

from event_bus_kafka.conf.client_options import consumer_options
from event_bus_kafka.kafka.reader import Reader

_REQUEST_TIMEOUT = 10.0
"""Seconds for one request to Kafka."""


def reader_for(group: str) -> Reader:
    """Return a reader of topics and of a group's offsets. Raises :class:`ConfigurationError`."""
    return Reader(consumer_options(group), timeout=_REQUEST_TIMEOUT)
