"""What the processor keeps of a record while it has it in hand."""

from __future__ import annotations

import attrs

from event_bus_kafka.dispatching.attempts import NOTHING_YET, Past
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.wire.records import ConsumerRecord


@attrs.define(eq=False)
class Work:
    """The attempts at one record. The lane that is at the record writes it; once the record is done it is let go."""

    record: ConsumerRecord
    past: Past = NOTHING_YET
    event_type: str = ""
    """Empty before the first attempt, and where this service has no signal for it."""
    running: Receiver | None = None
    """The receiver that had its turn last."""

    def begin(self, receiver: Receiver) -> None:
        """Note whose turn it is."""
        self.running = receiver
