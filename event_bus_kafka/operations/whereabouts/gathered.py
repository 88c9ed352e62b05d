"""Collects the findings while a search runs."""

from __future__ import annotations

import attrs

from event_bus_kafka.errors import EventBusError
from event_bus_kafka.operations.whereabouts.answer import (
    KafkaPlace,
    LetterPlace,
    MarkPlace,
    MaybeGone,
    OutboxPlace,
    Scanned,
    Unseen,
)
from event_bus_kafka.telemetry.error_text import error_text


@attrs.define
class TableFindings:
    """The findings of a search in this service's tables."""

    outbox: list[OutboxPlace] = attrs.field(factory=list)
    letters: list[LetterPlace] = attrs.field(factory=list)
    marks: list[MarkPlace] = attrs.field(factory=list)
    unseen: list[Unseen] = attrs.field(factory=list)

    @property
    def event_type(self) -> str:
        """The event type; empty: no row of an outbox and no dead letter names the event type."""
        types = [one.event_type for one in self.outbox] + [one.event_type for one in self.letters]
        return next(filter(None, types), "")


@attrs.define
class BrokerFindings:
    """The findings of a search in Kafka."""

    records: list[KafkaPlace] = attrs.field(factory=list)
    more_records: int = 0
    scanned: list[Scanned] = attrs.field(factory=list)
    read: int = 0
    gone: list[MaybeGone] = attrs.field(factory=list)
    unseen: list[Unseen] = attrs.field(factory=list)

    @property
    def event_type(self) -> str:
        """The event type; empty: no record was found, or the headers of the records do not name the event type."""
        return next(filter(None, (one.event_type for one in self.records)), "")

    def not_seen(self, what: str, error: EventBusError, more: str = "") -> None:
        """
        Note that ``what`` could not be searched because of ``error``. ``more``: text after the error. An equal note is
        not added twice.
        """
        one = Unseen(what=what, why=f"{error_text(error)}{more}")
        if one not in self.unseen:
            self.unseen.append(one)
