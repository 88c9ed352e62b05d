"""Defines which topics and groups are searched, and how the servers are accessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import attrs

from event_bus_kafka.kafka.cluster.groups import Groups
from event_bus_kafka.kafka.scanner import Scanner
from event_bus_kafka.wire.serde import SchemaIds


@attrs.frozen(kw_only=True)
class ServerAccess:
    """Access to Kafka and the registry. Each callable raises :class:`EventBusError` if settings are missing."""

    scanner: Callable[[float], AbstractContextManager[Scanner]]
    """
    Returns a scanner. The argument is the monotonic time until which all requests of the scanner must be answered.
    """
    groups: Callable[[], Groups]
    registry: Callable[[float], AbstractContextManager[SchemaIds]]
    """Returns the registry's client. The argument is the time limit of one request, in seconds."""


@attrs.frozen(kw_only=True)
class Neighbourhood:
    """The topics that this service's settings name. All topics are full names."""

    routes: Mapping[str, frozenset[str]]
    """Event type → topics to which this service sends events of the type."""
    subscriptions: Mapping[str, frozenset[str]]
    """Consumer group → topics that the group reads."""
    dead_letters: frozenset[str]
    """Topics for this service's dead letters; empty if a table keeps the dead letters."""

    def topics(self, event_type: str) -> frozenset[str]:
        """Return the topics that may contain events of a type. An empty ``event_type`` means any type."""
        return frozenset().union(self.sent_to(event_type), *self.subscriptions.values(), self.dead_letters)

    def sent_to(self, event_type: str) -> frozenset[str]:
        """Return the topics to which this service sends events of a type. An empty ``event_type`` means any type."""
        if event_type:
            return self.routes.get(event_type, frozenset())
        return frozenset().union(*self.routes.values())

    def left_to_search(self, event_type: str) -> frozenset[str]:
        """Return the topics that may contain another record of an event, after one record was found."""
        return self.sent_to(event_type) | self.dead_letters
