"""Makes a receiver fail if an event that it emits is rejected, because otherwise nobody would notice the rejection."""

from __future__ import annotations

from contextvars import ContextVar

from event_bus_kafka.errors import EmittedEventRejected
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import EventRejected, LifecycleEvent

_rejected: ContextVar[list[Exception] | None] = ContextVar("event_bus_kafka_rejected", default=None)


class Rejections:
    """
    Collects the errors of events that are emitted and rejected inside the ``with`` block, including events that
    coroutines emit.
    """

    __slots__ = ("_token",)

    def __enter__(self) -> list[Exception]:
        found: list[Exception] = []
        self._token = _rejected.set(found)
        return found

    def __exit__(self, *_: object) -> None:
        _rejected.reset(self._token)


def note_rejection(event: LifecycleEvent) -> None:
    """Collect the error of ``event`` if it is an :class:`EventRejected`. This function is an observer."""
    found = _rejected.get()
    if found is not None and isinstance(event, EventRejected):
        error = EmittedEventRejected(event.event_type, error_text(event.error))
        error.__cause__ = event.error
        found.append(error)
