"""
Creates readers of topics. Web processes import this module only if they need a reader, because the imports of this
module slow down a start.
"""

from __future__ import annotations

from event_bus_kafka.conf.client_options import consumer_options
from event_bus_kafka.kafka.reader import Reader

_REQUEST_TIMEOUT = 10.0
"""Time limit of one request to Kafka, in seconds."""


_SMALL = {"queued.max.messages.kbytes": 8192}
"""Options for a small buffer. By default, librdkafka fetches up to 64 MB ahead."""


def reader_for(group: str) -> Reader:
    """Return a reader of topics and of the offsets of ``group``. Raises :class:`ConfigurationError`."""
    return Reader(consumer_options(group), timeout=_REQUEST_TIMEOUT)


def small_reader_for(group: str) -> Reader:
    """Return a reader like :func:`reader_for`, but with a small buffer. Raises :class:`ConfigurationError`."""
    return Reader(_SMALL | consumer_options(group), timeout=_REQUEST_TIMEOUT)
