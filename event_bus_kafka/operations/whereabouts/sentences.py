"""What was found of an event, in plain words, without personal data."""

from __future__ import annotations

from event_bus_kafka.operations.whereabouts.answer import Whereabouts


def sentences(answer: Whereabouts) -> list[str]:
    """Return what is known, a line each: where the event is first, then how far it was looked, then what is unseen."""
    raise NotImplementedError
