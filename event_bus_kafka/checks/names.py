"""Checks the names of event types, topics and brokers in the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.core.checks import CheckMessage
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.checks.catalogue import error_message, warning_message
from event_bus_kafka.conf.deploying import ALL_TOPICS
from event_bus_kafka.conf.routes import forgotten_topics, full_topic, routes, short_topic
from event_bus_kafka.conf.settings import SettingsTable, settings
from event_bus_kafka.errors import ConfigurationError

_OURS = "event_bus_kafka."
_AVRO_NAMESPACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_VERSION = re.compile(r"\.v\d+$")
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_BROKER = re.compile(r"([A-Z_]+://)?(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]@]+)(:(?P<port>\d{1,5}))?")
_HIGHEST_PORT = 65_535
_Named = tuple[str, str]
"""The name of a setting, and a topic that this setting names (without prefix)."""


def check_names(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """
    Check the form of names, and look for likely mistakes such as a topic's name with the prefix. If this service uses
    neither this package's producer nor its consumer, check only whether topics are enabled without any producer. Even
    this is checked only if brokers are configured.
    """
    try:
        return [*_checked()]
    except ConfigurationError:  # another check reports this error
        return []


def _checked() -> Iterator[CheckMessage]:
    sends = (settings.producer or "").startswith(_OURS)
    reads = (settings.consumer or "").startswith(_OURS) and settings.consumers_enabled
    if sends:
        yield from _event_types()
    if sends or reads:
        topics = dict.fromkeys([*(_sent() if sends else ()), *(_read() if reads else ()), *_named()])
        yield from _impossible_topics(topics)
        yield from _prefixed_topics(topics)
        yield from _brokers()
        yield from _retried_types()
    if reads or settings.bootstrap_servers:
        yield from _forgotten_producer()


def _sent() -> Iterator[_Named]:
    yield from ((SettingsTable.producer_config.name, route.topic) for route in routes() if route.enabled)


def _read() -> Iterator[_Named]:
    yield from (
        (SettingsTable.subscriptions.name, topic) for topics in settings.subscriptions.values() for topic in topics
    )


def _named() -> Iterator[_Named]:
    yield from ((SettingsTable.topics.name, topic) for topic in settings.topics if topic != ALL_TOPICS)


def _event_types() -> Iterator[CheckMessage]:
    for event_type in sorted({route.event_type for route in routes() if route.enabled}):
        if not _AVRO_NAMESPACE.fullmatch(event_type):
            yield warning_message(
                "W011",
                f"The event type {event_type!r} is not a valid Avro namespace, which its schema needs.",
                hint="Apicurio refuses such a schema, other registries may accept it: try yours, or name the type "
                "with letters, digits and _ between dots.",
            )
        if not _VERSION.search(event_type):
            yield warning_message(
                "W012",
                f"The event type {event_type!r} ends without a version.",
                hint="End the type with .v1: an incompatible change then needs a new type with the next version.",
            )


def _impossible_topics(topics: dict[_Named, None]) -> Iterator[CheckMessage]:
    for setting, topic in topics:
        name = full_topic(topic)
        if not _TOPIC.fullmatch(name) or name in (".", ".."):
            hint = "Use letters, digits, '.', '_' and '-', at most 249 characters including the prefix."
            yield error_message("E009", f"{setting} names the topic {topic!r}: Kafka refuses the name {name!r}.", hint)


def _prefixed_topics(topics: dict[_Named, None]) -> Iterator[CheckMessage]:
    for setting, topic in topics:
        if short_topic(topic) != topic:
            yield warning_message(
                "W007",
                f"{setting} names the topic {topic!r} with the prefix, so it means {full_topic(topic)!r}.",
                hint=f"EVENT_BUS_TOPIC_PREFIX is put before every topic: write {short_topic(topic)!r}.",
            )


def _brokers() -> Iterator[CheckMessage]:
    for address in (settings.bootstrap_servers or "").split(","):
        found = _BROKER.fullmatch(address.strip())
        if settings.bootstrap_servers and (not found or int(found["port"] or 0) > _HIGHEST_PORT):
            yield warning_message(
                "W015",
                f"{SettingsTable.bootstrap_servers.name} has {address.strip()!r}, not of the form host:port.",
                hint="Name brokers as kafka:9092, separated by commas: no URL, no path, no user.",
            )


def _retried_types() -> Iterator[CheckMessage]:
    known = [signal.event_type for signal in OpenEdxPublicSignal.all_events()]
    for name in settings.retry_by:
        if _VERSION.search(name) and name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f"Did you mean {nearest[0]}?" if nearest else "Is the module of its signal imported?"
            yield warning_message("W016", f"{SettingsTable.retry_by.name} names {name!r}, which no signal has.", hint)


def _forgotten_producer() -> Iterator[CheckMessage]:
    if topics := forgotten_topics():
        yield warning_message(
            "W014",
            f"{SettingsTable.producer_config.name} enables {', '.join(topics)}, but {SettingsTable.producer.name} is "
            "not set: openedx-events sends nothing, and logs nothing.",
            hint="Set EVENT_BUS_PRODUCER = 'event_bus_kafka.create_producer', or disable the topics.",
        )
