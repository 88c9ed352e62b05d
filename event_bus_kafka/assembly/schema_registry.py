"""The client of the schema registry, made as the settings say: for senders, workers, relays and commands."""

from __future__ import annotations

from event_bus_kafka.conf.client_options import schema_registry_options
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.kafka.schema_subjects import SchemaSubjects

_COMMAND_TIMEOUT = 10.0
"""Seconds for a request that nobody waits for in a request of his own."""


def registry(*, timeout: float | None = None, backoff: float = 0.0) -> SchemaRegistry:
    """
    Return the registry of the settings. Raises :class:`ConfigurationError`.

    ``timeout``: seconds for one request, by default from the settings. ``backoff``: seconds without requests after a
    failure.
    """
    return SchemaRegistry(
        schema_registry_options(),
        timeout=settings.registry_timeout if timeout is None else timeout,
        register=settings.auto_register_schemas,
        backoff=backoff,
    )


def registering() -> SchemaRegistry:
    """
    Return the registry as a deploy uses it: it registers schemas also where ``EVENT_BUS_KAFKA_AUTO_REGISTER_SCHEMAS``
    is False. Raises :class:`ConfigurationError`.
    """
    return SchemaRegistry(schema_registry_options(), timeout=_command_timeout(), register=True)


def subjects(*, timeout: float | None = None) -> SchemaSubjects:
    """
    Return the subjects of the registry; ``timeout``: seconds for one request, by default the limit for commands. Raises
    :class:`ConfigurationError`.
    """
    return SchemaSubjects(schema_registry_options(), timeout=timeout or _command_timeout())


def _command_timeout() -> float:
    return max(settings.registry_timeout, _COMMAND_TIMEOUT)
