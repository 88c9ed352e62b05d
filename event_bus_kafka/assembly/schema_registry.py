"""Creates clients of the schema registry from the settings, for senders, workers, relays and commands."""

from __future__ import annotations

from event_bus_kafka.conf.client_options import schema_registry_options
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.kafka.schema_subjects import SchemaSubjects

_COMMAND_TIMEOUT = 10.0
"""
Smallest time limit in seconds for one request of a command. It may be long, because no web request waits for a command.
"""


def registry(*, timeout: float | None = None, backoff: float = 0.0) -> SchemaRegistry:
    """
    Return a client of the schema registry. Raises :class:`ConfigurationError`.

    ``timeout``: seconds for one request; None: the seconds in the settings. ``backoff``: seconds for which the client
    sends no request after a failure.
    """
    return SchemaRegistry(
        schema_registry_options(),
        timeout=settings.registry_timeout if timeout is None else timeout,
        register=settings.auto_register_schemas,
        backoff=backoff,
    )


def registering() -> SchemaRegistry:
    """
    Return a client of the schema registry that registers schemas even if ``EVENT_BUS_KAFKA_AUTO_REGISTER_SCHEMAS`` is
    False, for deploys. Raises :class:`ConfigurationError`.
    """
    return SchemaRegistry(schema_registry_options(), timeout=_command_timeout(), register=True)


def subjects(*, timeout: float | None = None) -> SchemaSubjects:
    """
    Return a client of the registry's subjects. ``timeout``: seconds for one request; None: the limit for commands.
    Raises :class:`ConfigurationError`.
    """
    return SchemaSubjects(schema_registry_options(), timeout=timeout or _command_timeout())


def _command_timeout() -> float:
    return max(settings.registry_timeout, _COMMAND_TIMEOUT)
