"""Subscriptions: the topics and the consumer group of a worker."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import ConfigurationError

_SETTING = "EVENT_BUS_KAFKA_SUBSCRIPTIONS"


@attrs.frozen
class Subscription:
    """The topics (without prefix, without duplicates) and the consumer group of a worker."""

    group: str
    topics: tuple[str, ...]


def subscription(topics: Sequence[str], group: str | None) -> Subscription:
    """
    Return the subscription of a worker. If ``topics`` is empty, ``EVENT_BUS_KAFKA_SUBSCRIPTIONS`` supplies the topics
    of ``group``. If both arguments are missing, this setting must have exactly one group, which is used with its
    topics.

    Raises :class:`ConfigurationError`, also if topics are given without a group.
    """
    if topics and group:
        return Subscription(group, tuple(dict.fromkeys(topics)))
    if topics:
        raise ConfigurationError("Name the consumer group of these topics: -g GROUP.")
    configured = settings.subscriptions
    if not configured:
        raise ConfigurationError(f"Name topics and a consumer group, -t TOPIC -g GROUP, or set {_SETTING}.")
    if group is None and len(configured) > 1:
        raise ConfigurationError(f"Name one of the groups of {_SETTING}, -g GROUP: {', '.join(sorted(configured))}.")
    name = group or next(iter(configured))
    if name not in configured:
        known = ", ".join(sorted(configured))
        raise ConfigurationError(f"{_SETTING} has no group {name!r}, only {known}: name topics as well, -t TOPIC.")
    return Subscription(name, tuple(dict.fromkeys(configured[name])))
