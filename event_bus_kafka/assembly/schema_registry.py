"""The client of the schema registry, made as the settings say: for senders, workers, relays and commands."""

from __future__ import annotations

from event_bus_kafka.conf.client_options import schema_registry_options
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.kafka.schema_registry import SchemaRegistry


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
