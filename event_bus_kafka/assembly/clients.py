"""Clients of the registry and of Kafka that are wanted in several places."""

from __future__ import annotations

from event_bus_kafka.conf.client_options import consumer_options, schema_registry_options
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.kafka.schema_registry import SchemaRegistry

_REQUEST_TIMEOUT = 10.0
"""Seconds for one request of a reader to Kafka."""


def registry(*, timeout: float | None = None, backoff: float = 0.0) -> SchemaRegistry:
    """
    Return the registry of the settings. Raises :class:`ConfigurationError`.

    ``timeout``: seconds for one request, by default those of the settings. ``backoff``: seconds for which the registry
    is left alone after a failure.
    """
    return SchemaRegistry(
        schema_registry_options(),
        timeout=settings.registry_timeout if timeout is None else timeout,
        register=settings.auto_register_schemas,
        backoff=backoff,
    )


def reader(group: str) -> Reader:
    """Return a reader of topics and of a group's offsets. Raises :class:`ConfigurationError`."""
    return Reader(consumer_options(group), timeout=_REQUEST_TIMEOUT)
