"""The lines that the log has of each event: a line costs more than all else that is done with an event."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from event_bus_kafka.shown import Shown, logger_named, shown
from event_bus_kafka.telemetry.events import RecordDelivered, RecordDone, RecordReceived
from event_bus_kafka.telemetry.logs.fields import fields

logger = logger_named("event_bus_kafka")

Audited = RecordDelivered | RecordReceived | RecordDone
AUDITED = (RecordDelivered, RecordReceived, RecordDone)
"""The events that get a line each, in the order of their lines."""
_MOST_IDS = 100
"""Ids in a line, each of which can be searched for."""
_LONGEST_IDS = 50 * _MOST_IDS
"""Characters of ids in a line, as long as they are UUIDs. If one is a stranger's, each is shown by itself."""
_PLENTY = 1_000
"""Records that wait for a line, at most."""
_PLACE = "topic=%s, partition=%s, offsets=%s-%s, message_ids=%s"
_BEGINNINGS = {
    RecordDelivered: "Message delivered to Kafka event bus: ",
    RecordReceived: "Message received from Kafka: ",
    RecordDone: "Message from Kafka processed successfully: ",
}
"""Beginnings of the shared lines, equal to the lines of single records."""


class AuditLines:
    """
    Collects records that were delivered, received or done, until a thread writes them: one line for the records of one
    partition and event type. Any thread may call it.
    """

    def __init__(self, single: Callable[[Audited], None]) -> None:
        """``single`` logs a record that has nobody to share a line with."""
        self._single = single
        self._waiting: deque[Audited] = deque()

    def add(self, event: Audited) -> None:
        """Have a record wait for its line."""
        self._waiting.append(event)
        if len(self._waiting) >= _PLENTY:
            self.write()

    def write(self) -> None:
        """Log all that wait. If a handler of the log raises, its line is lost, and no other."""
        lines = deque(_lines(self._taken()))
        try:
            while lines:
                self._log(lines.popleft())
        finally:
            for line in reversed(lines):
                self._waiting.extendleft(reversed(line))

    def forget(self) -> None:
        """Forget the waiting records in a child process: its parent will log them."""
        self._waiting.clear()

    def _taken(self) -> list[Audited]:
        taken = []
        while self._waiting:
            try:
                taken.append(self._waiting.popleft())
            except IndexError:  # another thread has just taken it
                break
        return taken

    def _log(self, run: Sequence[Audited]) -> None:
        first = run[0]
        if not logger.isEnabledFor(logging.INFO):
            return
        if len(run) == 1:
            self._single(first)
            return
        offsets = [event.offset for event in run]
        ids = Shown(",".join([event.event_id for event in run]))
        if len(ids) > _LONGEST_IDS or not ids.isprintable():
            ids = Shown(",".join([shown(event.event_id) for event in run]))
        line, place = _BEGINNINGS[type(first)] + _PLACE, (first.topic, first.partition, min(offsets), max(offsets), ids)
        shared = fields(first, "offset", "event_id")
        if isinstance(first, RecordReceived):
            logger.info(line + ", event_type=%s", *place, first.event_type, extra=shared)
        else:
            logger.info(line, *place, extra=shared)


def _lines(taken: Sequence[Audited]) -> Iterator[list[Audited]]:
    """
    Yield groups of events that share a line. Lines of one kind come before the next kind: a record may be done before
    others of its partition are received.
    """
    runs: dict[tuple[object, ...], list[Audited]] = {}
    for event in taken:
        runs.setdefault((type(event), event.topic, event.partition, event.event_type), []).append(event)
    for run in sorted(runs.values(), key=lambda run: AUDITED.index(type(run[0]))):
        for start in range(0, len(run), _MOST_IDS):
            yield run[start : start + _MOST_IDS]
