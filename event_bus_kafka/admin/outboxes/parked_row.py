"""The texts that pages show about a parked row."""

from __future__ import annotations

from time import time

import attrs

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import ago, moment_of
from event_bus_kafka.models import ParkedRecord
from event_bus_kafka.shown import shown
from event_bus_kafka.wire.headers import text_of

COLUMNS = ("topic", "code", "reason", "parked_at", "size", "headers")
"""The columns that :meth:`ShownRow.of` reads. Rows are read without keys and bodies, which may be large."""


@attrs.frozen(kw_only=True)
class ShownRow:
    """Texts about a parked row, without data of the event. A text is empty if it is not known."""

    id: int
    event_type: str
    event_id: str
    topic: str
    parked: str
    parked_ago: str
    size: str
    """The size in the outbox, in bytes."""
    code: str
    reason: str

    @classmethod
    def of(cls, row: ParkedRecord) -> ShownRow:
        packed = bytes(row.headers)
        return cls(
            id=row.pk,
            event_type=shown(text_of(packed, "ce_type")),
            event_id=shown(text_of(packed, "ce_id")),
            topic=shown(row.topic),
            parked=moment_of(row.parked_at),
            parked_ago=ago(time() - row.parked_at / 1000),
            size="" if row.size is None else charts.count(row.size),
            code=shown(row.code),
            reason=shown(row.reason),
        )
