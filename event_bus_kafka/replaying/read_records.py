"""
Keeps the records of a requested replay that were read and whose results are not counted yet. A place is a partition
with the range of offsets to replay.
"""

from __future__ import annotations

import threading
from collections import deque

import attrs

from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.models import LetterState
from event_bus_kafka.operations.requested_runs.run_progress import Place, RunProgress
from event_bus_kafka.wire.records import ConsumerRecord

_MOST, _MOST_BYTES = 1_000, 4_000_000
"""
Limits for the kept records: their number, and the number of bytes of unfinished records. At a limit, no further record
is read.
"""
_GONE = "no longer in Kafka"


@attrs.define(eq=False, kw_only=True)
class ReadRecord:
    """The offset of a record in a requested replay, or the last offset of a place, at which there may be no record."""

    number: int
    place: Place
    offset: int
    record: ConsumerRecord | None = None
    """The record. None if the record is finished, which frees memory, or if it does not match the filters."""
    state: LetterState | None = None
    """The record's result. None if the record is not finished, or if it does not match the filters."""
    error: str = ""
    is_over: bool = False
    """Whether the record is finished, or does not match the filters."""

    @property
    def topic(self) -> str:
        return self.place.topic

    @property
    def partition(self) -> int:
        return self.place.partition

    @property
    def coordinates(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


class ReadRecords:
    """
    Counts results in the order of the records, although lanes finish records in any order. A position only moves past
    finished records, so that another worker can continue there. Any thread may use this object.
    """

    def __init__(self, progress: RunProgress, lock: threading.Lock) -> None:
        """``lock``: lock that is held while the progress changes."""
        self._progress = progress
        self._lock = lock
        self._windows: dict[Partition, deque[ReadRecord]] = {one.name: deque() for one in progress.places}
        self._bytes = 0
        self._number = 0

    @property
    def is_full(self) -> bool:
        """Whether no further record may be read now."""
        return self._bytes >= _MOST_BYTES or sum(map(len, self._windows.values())) >= _MOST

    def add(self, place: Place, record: ConsumerRecord) -> ReadRecord:
        """Add the next record of a place. Receivers will get this record."""
        read = self._added(place, record.offset)
        read.record = record
        with self._lock:
            self._bytes += record.size
        return read

    def pass_over(self, place: Place, offset: int) -> bool:
        """
        Add a finished offset of a place, for which no receiver is called. Its record does not match the filters, or the
        offset is the last of the place. Return whether the position has moved.
        """
        before = place.position
        self.end(self._added(place, offset), None)
        return place.position > before

    def leave_out(self, place: Place, to: int) -> None:
        """
        Move the position of a place to offset ``to``, because Kafka has deleted the records before this offset. They
        count as skipped.
        """
        with self._lock:
            self._progress.leave_out(place, to, _GONE)

    def end(self, read: ReadRecord, state: LetterState | None, error: str = "") -> None:
        """Note the result of a record. Then count all results before the first unfinished record of the partition."""
        with self._lock:
            if read.record is not None:
                self._bytes -= read.record.size
            read.record, read.state, read.error, read.is_over = None, state, error, True
            window = self._windows[read.place.name]
            while window and window[0].is_over:
                first = window.popleft()
                if first.state is not None:
                    self._progress.count(first.state, first.coordinates, first.error)
                first.place.position = first.offset + 1

    def _added(self, place: Place, offset: int) -> ReadRecord:
        with self._lock:
            self._number += 1
            read = ReadRecord(number=self._number, place=place, offset=offset)
            self._windows[place.name].append(read)
        return read
