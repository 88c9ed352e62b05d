"""
Logs each record that was delivered, received or done. Many records share a line, because writing a line takes longer
than all other work for a record.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from event_bus_kafka.shown import Shown, logger_named, shown
from event_bus_kafka.telemetry.events import RecordDelivered, RecordDone, RecordReceived
from event_bus_kafka.telemetry.logs.fields import fields

logger = logger_named("event_bus_kafka")

Audited = RecordDelivered | RecordReceived | RecordDone
AUDITED = (RecordDelivered, RecordReceived, RecordDone)
"""The kinds of lifecycle events that are logged for every record, in the order of their log lines."""
_MOST_IDS = 100
"""Maximum number of ids in a log line."""
_LONGEST_IDS = 50 * _MOST_IDS
"""
If the ids in a log line have more characters than this number together, each long id is cut. UUIDs never reach this
number.
"""
_PLENTY = 1_000
"""Number of collected records at which :meth:`AuditLines.add` logs all of them."""
_PLACE = "topic=%s, partition=%s, offsets=%s-%s, message_ids=%s"
_BEGINNINGS = {
    RecordDelivered: "Message delivered to Kafka event bus: ",
    RecordReceived: "Message received from Kafka: ",
    RecordDone: "Message from Kafka processed successfully: ",
}
"""The beginnings of lines that several records share. The lines for single records begin with the same texts."""


class AuditLines:
    """
    Collects records that were delivered, received or done. In :meth:`write`, up to a hundred records share a line if
    they have the same partition, event type and kind of lifecycle event. All methods may be called from any thread.
    """

    def __init__(self, single: Callable[[Audited], None]) -> None:
        """``single`` logs a record that shares its line with no other record."""
        self._single = single
        self._waiting: deque[Audited] = deque()

    def add(self, event: Audited) -> None:
        """Collect a record for a later log line."""
        self._waiting.append(event)
        if len(self._waiting) >= _PLENTY:
            self.write()

    def write(self) -> None:
        """
        Log all collected records. Raises the exceptions of the logger's handlers. After an exception, the records whose
        lines were not tried yet stay collected.
        """
        lines = deque(_lines(self._taken()))
        try:
            while lines:
                self._log(lines.popleft())
        finally:
            for line in reversed(lines):
                self._waiting.extendleft(reversed(line))

    def forget(self) -> None:
        """Drop the collected records. Called in a child process after a fork, because the parent process logs them."""
        self._waiting.clear()

    def _taken(self) -> list[Audited]:
        taken: list[Audited] = []
        take = self._waiting.popleft
        with suppress(IndexError):  # no record waits any more
            while True:
                taken.append(take())
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
    Yield groups of records that share a line. All groups of received records come before all groups of done records, so
    that no record is logged as done before it is logged as received.
    """
    runs: defaultdict[tuple[object, ...], list[Audited]] = defaultdict(list)
    for event in taken:
        runs[type(event), event.topic, event.partition, event.event_type].append(event)
    for run in sorted(runs.values(), key=lambda run: AUDITED.index(type(run[0]))):
        for start in range(0, len(run), _MOST_IDS):
            yield run[start : start + _MOST_IDS]
