"""Creates readers of topics. Only commands import this module, because its imports slow down the start of a process."""

from __future__ import annotations

from event_bus_kafka.conf.client_options import consumer_options
from event_bus_kafka.kafka.reader import Reader

_REQUEST_TIMEOUT = 10.0
"""Time limit of one request to Kafka, in seconds."""


def reader_for(group: str) -> Reader:
    """Return a reader of topics and of the offsets of ``group``. Raises :class:`ConfigurationError`."""
    return Reader(consumer_options(group), timeout=_REQUEST_TIMEOUT)
