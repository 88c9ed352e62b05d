"""What follows from a failed attempt: decided here, acted on elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import random
from typing import Any

import attrs
from django.utils.module_loading import import_string

from event_bus_kafka.consuming.outcomes import DeadLetter, Hold, Outcome, Retry
from event_bus_kafka.errors import (
    BrokerError,
    ConfigurationError,
    DeserializationError,
    ReceiversFailed,
    SchemaRegistryError,
)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """
    Attempts with exponential backoff and jitter; delays in seconds.

    ``jitter`` is the share by which a delay varies to both sides; ``final`` are errors of receivers that no further
    attempt would cure.
    """

    attempts: int
    first_delay: float
    factor: float
    max_delay: float
    jitter: float
    final: tuple[type[Exception], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RetryPolicy:
        """Return the policy of a setting's dict. Raises :class:`ConfigurationError` where a class is not importable."""
        return cls(**{**values, "final": tuple(_imported(item) for item in values["final"])})

    def decide(self, error: Exception, attempt: int, *, chance: Callable[[], float] = random) -> Outcome:
        """
        Judge an error after so many attempts that count, the failed one included.

        Infrastructure before finality before the attempts that are left: an outage never makes a dead letter.
        """
        if is_infrastructure(error):
            return Hold(error, self.delay(attempt, chance))
        if self._is_final(error) or attempt >= self.attempts:
            return DeadLetter(error)
        return Retry(error, self.delay(attempt, chance))

    def delay(self, attempt: int, chance: Callable[[], float] = random) -> float:
        """Return the delay after so many attempts in a row."""
        exponent = min(attempt - 1, 64)  # beyond it every factor has long reached the limit, and floats overflow
        delay = min(self.first_delay * self.factor**exponent, self.max_delay)
        return delay * (1 + self.jitter * (2 * chance() - 1))

    def _is_final(self, error: Exception) -> bool:
        if isinstance(error, ReceiversFailed):
            return all(isinstance(cause, self.final) for cause in error.exceptions)
        return isinstance(error, (DeserializationError, SchemaRegistryError))


def is_infrastructure(error: Exception) -> bool:
    """Whether an error says nothing about the event, only that a server of ours is away."""
    return isinstance(error, (SchemaRegistryError, BrokerError)) and error.retriable


def _imported(item: type[Exception] | str) -> type[Exception]:
    try:
        found = import_string(item) if isinstance(item, str) else item
    except ImportError as error:
        raise ConfigurationError(f"EVENT_BUS_KAFKA_RETRY: 'final' names {item!r}: {error}.") from error
    if not (isinstance(found, type) and issubclass(found, Exception)):
        raise ConfigurationError(f"EVENT_BUS_KAFKA_RETRY: 'final' names {item!r}, which is no exception class.")
    return found
