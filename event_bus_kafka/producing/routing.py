"""The settings that a producer needs: the route of an event, and time limits for sending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class Route:
    """The route of an event type to a topic, enabled or not, from ``EVENT_BUS_PRODUCER_CONFIG``."""

    event_type: str
    topic: str
    """The topic's name without the prefix."""
    key_field: str
    enabled: bool
    mode: str
    database: str | None
    """
    Alias of the database whose transaction the event depends on. If it is None, the event depends on any database with
    an open transaction.
    """


@attrs.frozen(kw_only=True)
class Routing:
    """
    The routes from event types to topics (without prefix). The fields are callables that read the settings for each
    event, because tests may change the settings.
    """

    full_topic: Callable[[str], str]
    """Returns a topic's name with the prefix."""
    mode_of: Callable[[str, str], tuple[str, str | None]]
    """Returns mode and database of an event type on a topic. Raises :class:`ConfigurationError`."""
    route_of: Callable[[str, str], Route]
    """Returns the route of an event type to a topic. Raises :class:`ConfigurationError`."""


class SendingLimits(Protocol):
    """Time limits for sending, in seconds. They are read at each use, because tests may change the settings."""

    @property
    def send_timeout(self) -> float: ...

    @property
    def delivery_timeout(self) -> float: ...

    @property
    def shutdown_flush(self) -> float: ...

    @property
    def shutdown_spill(self) -> float: ...
