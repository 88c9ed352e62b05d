"""
Decides what follows a failed attempt. :func:`~event_bus_kafka.dispatching.attempts.judge` calls
:meth:`RetryPolicy.decide` for each receiver or record that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import random
from typing import Any

import attrs
from django.utils.module_loading import import_string

from event_bus_kafka.dispatching.outcomes import Failed, GiveUp, Hold, Retry
from event_bus_kafka.errors import ConfigurationError, DeserializationError, SchemaRegistryError

_LONGEST_HOLD = 10.0
"""Maximum seconds of a hold. Each held event is tried again within this time after an outage has ended."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """
    The maximum number of attempts, and the delays between them in seconds: exponential backoff with jitter.

    ``jitter`` is the share by which a delay varies up and down. After an exception of a class in ``final`` no further
    attempt is made.
    """

    attempts: int
    first_delay: float
    factor: float
    max_delay: float
    jitter: float
    final: tuple[type[Exception], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RetryPolicy:
        """
        Return the policy for the dict of a setting. Raises :class:`ConfigurationError` if a class in ``final`` cannot
        be imported.
        """
        return cls(**{**values, "final": tuple(_imported(item) for item in values["final"])})

    def decide(
        self,
        error: Exception,
        *,
        attempt: int,
        holds: int = 0,
        is_outage: bool = False,
        is_open: bool = False,
        chance: Callable[[], float] = random,
    ) -> Failed:
        """
        Decide what follows ``error``.

        ``attempt`` is the number of the failed attempt, from 1. ``holds`` is the number of holds in a row before this
        attempt. ``is_open`` says whether the circuit of the failed receiver is open. ``chance`` returns a number from 0
        to 1, for the jitter. An outage is considered first, then an open circuit, then final errors, then the number of
        attempts. So neither an outage nor an open circuit leads to a dead letter.
        """
        if is_outage or is_open:
            return Hold(error, self.hold(holds, chance))
        if self.is_final(error) or attempt >= self.attempts:
            return GiveUp(error)
        return Retry(error, self.delay(attempt, chance))

    def delay(self, attempt: int, chance: Callable[[], float] = random) -> float:
        """Return the seconds to wait after ``attempt`` failed attempts in a row."""
        exponent = min(attempt - 1, 64)  # a higher exponent changes nothing, and floats would overflow
        delay = min(self.first_delay * self.factor**exponent, self.max_delay)
        return delay * (1 + self.jitter * (2 * chance() - 1))

    def hold(self, holds: int, chance: Callable[[], float] = random) -> float:
        """Return the seconds to wait after ``holds`` holds in a row."""
        return min(self.delay(holds + 1, chance), _LONGEST_HOLD)

    def is_final(self, error: Exception) -> bool:
        """
        Return whether every further attempt would fail: the record cannot be read, or ``error`` is a final error of the
        schema registry or of a class in ``final``.
        """
        if isinstance(error, SchemaRegistryError):
            return error.final
        return isinstance(error, (DeserializationError, *self.final))


@attrs.frozen(kw_only=True)
class RetryPolicies:
    """The policies by event type and topic. The event type's policy comes first, then the topic's, then the default."""

    default: RetryPolicy
    by_name: Mapping[str, RetryPolicy] = attrs.field(factory=dict)
    """Event type or full name of a topic → the policy for its events."""

    @classmethod
    def of(cls, values: Mapping[str, Any], differing: Mapping[str, Mapping[str, Any]]) -> RetryPolicies:
        """
        Return the policies. ``values``: the fields of the default policy. ``differing``: event type or topic → the
        fields that differ from the default policy.

        Raises :class:`ConfigurationError` if a class in ``final`` cannot be imported.
        """
        by_name = {name: RetryPolicy.of({**values, **changes}) for name, changes in differing.items()}
        return cls(default=RetryPolicy.of(values), by_name=by_name)

    def policy(self, event_type: str, topic: str) -> RetryPolicy:
        """Return the policy for events of type ``event_type`` on ``topic`` (full name)."""
        return self.by_name.get(event_type) or self.by_name.get(topic) or self.default


def _imported(item: type[Exception] | str) -> type[Exception]:
    try:
        found = import_string(item) if isinstance(item, str) else item
    except ImportError as error:
        raise ConfigurationError(f"EVENT_BUS_KAFKA_RETRY: 'final' names {item!r}: {error}.") from error
    if not (isinstance(found, type) and issubclass(found, Exception)):
        raise ConfigurationError(f"EVENT_BUS_KAFKA_RETRY: 'final' names {item!r}, which is no exception class.")
    return found
