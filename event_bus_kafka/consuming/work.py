"""What the processor keeps of a record from one attempt to the next."""

from __future__ import annotations

import attrs

from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import GiveUp
from event_bus_kafka.wire.records import ConsumerRecord, Event


@attrs.define(eq=False)
class Work:
    """The attempts at one record. The lane that is at the record writes it; once the record is done it is let go."""

    record: ConsumerRecord
    attempts: int = 0
    """Attempts that failed and count."""
    failures: dict[str, int] = attrs.field(factory=dict)
    """By name of a receiver: its attempts that failed and count."""
    holds: int = 0
    """Attempts in a row that failed and do not count."""
    held_by: str = ""
    """The server that was away at the last attempt."""
    event: Event | None = None
    receivers: list[Receiver] | None = None
    """Who has still to succeed; None before the first attempt."""
    given_up: tuple[tuple[Receiver, Exception], ...] = ()
    """Receivers that do not get the event any more, with the reasons."""
    running: Receiver | None = None
    """The receiver that had its turn last."""
    verdict: GiveUp | None = None
    """Given up, and not stored yet: no receiver runs again."""

    def begin(self, receiver: Receiver) -> None:
        """Note whose turn it is."""
        self.running = receiver
