"""Whether an error says nothing about the event, only that a server of ours is away."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import Error as DatabaseError

from event_bus_kafka.consuming import state
from event_bus_kafka.errors import BrokerError, DeadLetterStoreFailed, ReceiversFailed, SchemaRegistryError


def is_outage(error: Exception) -> bool:
    """
    Return whether the registry, the broker, the dead-letter store or a database cannot be reached.

    An error of a database counts only if a fresh connection fails too; it may stand behind the error of a receiver.
    """
    if isinstance(error, DeadLetterStoreFailed):
        return True
    if isinstance(error, (SchemaRegistryError, BrokerError)):
        return error.retriable
    return any(isinstance(cause, DatabaseError) for cause in _causes(error)) and bool(state.unreachable_database())


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, ReceiversFailed):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        seen: set[int] = set()
        current: BaseException | None = error
        while current is not None and id(current) not in seen:
            seen.add(id(current))
            yield current
            current = current.__cause__ or current.__context__
