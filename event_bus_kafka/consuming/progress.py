"""How far each assigned partition is done: from finished records to the offset that may be committed."""

from __future__ import annotations

from collections import deque

import attrs

from event_bus_kafka.consuming.dispatch import Receiver
from event_bus_kafka.wire.records import ConsumerRecord, Event


@attrs.define(eq=False)
class Delivery:
    """One record within one assignment, until it is settled. Lanes write it; ``done`` is the last thing they write."""

    record: ConsumerRecord
    partition: PartitionProgress
    done: bool = False
    attempts: int = 0
    """Attempts that failed and count."""
    holds: int = 0
    """Attempts in a row that failed and do not count."""
    event: Event | None = None
    receivers: list[Receiver] | None = None
    """Who has still to succeed; None before the first attempt."""


@attrs.define(eq=False)
class PartitionProgress:
    """
    The window of one assigned partition: records read and not yet committed, in the order of their offsets.

    Offsets may have gaps (compaction, transactions). The polling thread alone changes it; lanes read ``live``.
    """

    topic: str
    number: int
    live: bool = True
    """False once the partition is revoked: its records are dropped, and never count as done."""
    size: int = 0
    """Bytes in the window."""
    position: int | None = None
    """Offset that may be committed: that of the next record to read."""
    committed: int | None = None
    paused: bool = False
    full_since: float | None = None
    _window: deque[Delivery] = attrs.field(factory=deque)
    _last: int = -1

    @property
    def unsettled(self) -> int:
        """Records in the window."""
        return len(self._window)

    def take(self, record: ConsumerRecord) -> Delivery | None:
        """Add a record; None for one that was taken before, which the client hands out again after a revoke."""
        if record.offset <= self._last:
            return None
        delivery = Delivery(record, self)
        self._window.append(delivery)
        self._last = record.offset
        self.size += record.size
        return delivery

    def advance(self) -> None:
        """Move the position past the records at the head that are done."""
        window = self._window
        while window and window[0].done:
            record = window.popleft().record
            self.position = record.offset + 1
            self.size -= record.size

    @property
    def uncommitted(self) -> int | None:
        """The position if it has to be committed."""
        return self.position if self.position != self.committed else None
