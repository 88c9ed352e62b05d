"""Routes: the topics of each event type, with the field of the key and the mode of sending."""

from __future__ import annotations

from typing import Any

from event_bus_kafka.conf.settings import MODE, settings
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.outbox.database import home
from event_bus_kafka.producing.routing import Route


def full_topic(topic: str) -> str:
    """
    Return the full name of a topic: the prefix in the settings, a hyphen and ``topic``; without a prefix, ``topic``
    alone.
    """
    prefix = settings.topic_prefix
    return f"{prefix}-{topic}" if prefix else topic


def short_topic(topic: str) -> str:
    """Return the name of ``topic`` without the prefix in the settings."""
    return topic.removeprefix(full_topic(""))


def retry_by_name() -> dict[str, dict[str, Any]]:
    """
    Return EVENT_BUS_KAFKA_RETRY_BY with each key under two names: unchanged, and as a full topic name. A key may be an
    event type or a topic.
    """
    given = settings.retry_by
    return {full_topic(name): changes for name, changes in given.items()} | given


def mode_of(event_type: str, topic: str) -> tuple[str, str | None]:
    """
    Return the mode and the database alias for events of a type on a topic (without prefix). The type and the topic need
    not be configured.

    Raises :class:`ConfigurationError` on an unknown mode.
    """
    return _mode_of(event_type, topic, _entry(event_type, topic))


def routes() -> list[Route]:
    """
    Return all routes. Raises :class:`ConfigurationError` if an entry lacks ``event_key_field``, or has a wrong mode.
    """
    return [
        _route(event_type, topic, entry)
        for event_type, topics in settings.producer_config.items()
        for topic, entry in topics.items()
    ]


def outbox_databases() -> tuple[str, ...]:
    """
    Return the aliases of databases whose outbox may receive events. The first alias is for topics without ``database``.
    Raises :class:`ConfigurationError`.
    """
    named = [route.database for route in routes() if route.enabled and route.database]
    return tuple(dict.fromkeys([home(), *named]))


def forgotten_topics() -> list[str]:
    """
    Return the enabled topics if no producer is configured, because openedx-events then drops the events of these
    topics. Return an empty list if a producer is configured.
    """
    if settings.producer is not None:
        return []
    entries = [item for topics in settings.producer_config.values() for item in topics.items()]
    return sorted({topic for topic, entry in entries if entry.get("enabled") is True})


def route_of(event_type: str, topic: str) -> Route:
    """
    Return the route of an event type to a topic (without prefix).

    Raises :class:`ConfigurationError` if the route does not exist or is wrong.
    """
    return _route(event_type, topic, _entry(event_type, topic))


def _route(event_type: str, topic: str, entry: dict[str, Any]) -> Route:
    if not isinstance(entry.get("event_key_field"), str):
        where = f"EVENT_BUS_PRODUCER_CONFIG[{event_type!r}][{topic!r}]"
        raise ConfigurationError(f"{where} needs 'event_key_field', a dotted path as str, and 'enabled', a bool.")
    mode, database = _mode_of(event_type, topic, entry)
    return Route(
        event_type=event_type,
        topic=topic,
        key_field=entry["event_key_field"],
        enabled=entry.get("enabled") is True,
        mode=mode,
        database=database,
    )


def _entry(event_type: str, topic: str) -> dict[str, Any]:
    entry: dict[str, Any] = settings.producer_config.get(event_type, {}).get(topic, {})
    return entry


def _mode_of(event_type: str, topic: str, entry: dict[str, Any]) -> tuple[str, str | None]:
    mode = entry.get("mode")
    if not mode:
        return settings.topic_modes.get(topic) or settings.producer_mode, entry.get("database")
    try:
        return MODE.read(mode), entry.get("database")
    except ValueError:
        raise ConfigurationError(
            f"EVENT_BUS_PRODUCER_CONFIG[{event_type!r}][{topic!r}]['mode'] must be {MODE.expects}, not {mode!r}."
        ) from None
