"""Lists the topics that the settings require, and creates the client that administers topics, for commands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from event_bus_kafka.assembly.dead_letter_stores import dead_letter_topic, goes_to_topic
from event_bus_kafka.conf.client_options import producer_options
from event_bus_kafka.conf.deploying import ALL_TOPICS, SettingsOfTopic, settings_of_topic
from event_bus_kafka.conf.routes import full_topic, routes, short_topic
from event_bus_kafka.conf.settings import SettingsTable, settings
from event_bus_kafka.kafka.admin import Admin
from event_bus_kafka.operations.probing.probe_event import PROBE_TOPIC
from event_bus_kafka.operations.topic_steps import WantedTopic

_DAY = 86_400_000
"""A day in milliseconds."""
_OF_PROBE: SettingsOfTopic = {
    "partitions": 1,
    "options": {"message.timestamp.type": "LogAppendTime", "retention.ms": str(_DAY)},
}
"""
Default settings of the probe's topic. Brokers set the timestamps, because a probe compares the brokers' clock with this
host's clock. The retention is short, because nobody reads a probe's events later.
"""


def admin() -> Admin:
    """Return a client that administers topics. Raises :class:`ConfigurationError`."""
    return Admin(producer_options())


def wanted_topics() -> list[WantedTopic]:
    """
    Return all topics that this service needs: the topics that it sends to, reads, or names in
    ``EVENT_BUS_KAFKA_TOPICS``, and the topic of the probe. If dead letters go to topics, the result also contains
    these topics. Raises :class:`ConfigurationError`.
    """
    uses: defaultdict[str, list[str]] = defaultdict(list)
    for topic, use in _uses():
        uses[topic].append(use)
    of_letters = frozenset(map(_dead_letters, settings.subscriptions))
    return [
        _wanted(topic, tuple(dict.fromkeys(reasons)), is_of_letters=topic in of_letters)
        for topic, reasons in uses.items()
    ]


def _uses() -> Iterator[tuple[str, str]]:
    """Yield topics (without prefix), each with a reason why this service needs it. A topic may occur several times."""
    for topic in settings.topics:
        if topic != ALL_TOPICS:
            yield topic, f"named in {SettingsTable.topics.name}"
    for route in routes():
        if route.enabled:
            yield route.topic, f"{route.event_type} is sent there"
    groups = settings.subscriptions
    for group, topics in groups.items():
        for topic in topics:
            yield topic, f"group {group} reads it"
    if groups and goes_to_topic():
        for group in groups:
            yield _dead_letters(group), f"dead letters of group {group}"
    yield PROBE_TOPIC, "probe_event_bus"


def _wanted(topic: str, uses: tuple[str, ...], *, is_of_letters: bool) -> WantedTopic:
    given = settings_of_topic(settings.topics, topic, _own_defaults(topic, is_of_letters=is_of_letters))
    return WantedTopic(
        name=full_topic(topic),
        uses=uses,
        partitions=given.get("partitions"),
        replication=given.get("replication"),
        options=given["options"],
        keyed=topic != PROBE_TOPIC and not is_of_letters,
    )


def _own_defaults(topic: str, *, is_of_letters: bool) -> SettingsOfTopic:
    """
    Return this package's default settings of a topic. Only the probe's topic and topics of dead letters have default
    settings.
    """
    if topic == PROBE_TOPIC:
        return _OF_PROBE
    if is_of_letters:
        return {"options": {"retention.ms": str(round(settings.retention * _DAY))}}
    return {}


def _dead_letters(group: str) -> str:
    return short_topic(dead_letter_topic(group))
