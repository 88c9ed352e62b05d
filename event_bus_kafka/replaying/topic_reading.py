"""Reads the records of a topic for a requested replay, in a thread of its own, with a client that is in no group."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from time import monotonic, sleep

import attrs

from event_bus_kafka.errors import BrokerError, ConfigurationError, EventBusError, NotThere
from event_bus_kafka.kafka.offsets import Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.operations.records import Wanted
from event_bus_kafka.operations.requested_runs.run_progress import Place
from event_bus_kafka.replaying.halts import Halt, HaltKind
from event_bus_kafka.replaying.read_records import ReadRecord, ReadRecords
from event_bus_kafka.replaying.request_run import RequestRun
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ConsumerRecord
from event_bus_kafka.wire.serde import SchemaIds

logger = logger_named(__name__)

_LOOK_AGAIN = 0.02
"""Seconds between two checks whether more records may be read."""
_MISSING_FOR = 60.0
"""
Seconds for which a run waits for a missing topic or partition, because a restarted broker may not know its topics yet.
"""
_SLICE, _LONGEST_SLICE, _REST = 0.01, 0.05, 5.0
"""
Numbers for the pauses of the reading thread while live events wait. It pauses after ``_SLICE`` seconds of reading. The
pause is ``_REST`` times as long as the reading, but not longer than ``_REST * _LONGEST_SLICE`` seconds. Pauses of the
lanes would not suffice, because records that do not match the filters never reach a lane.
"""


@attrs.define(kw_only=True, eq=False)
class TopicReading:
    """
    Reads the remaining records, partition by partition, and adds the wanted records to a run. Stops when the run halts
    or all records are read. While live events wait, reading takes at most a sixth of the time.
    """

    reader: Callable[[], AbstractContextManager[Reader]]
    registry: SchemaIds
    wanted: Wanted
    places: list[Place]
    records: ReadRecords
    run: RequestRun[ReadRecord]
    _rested_at: float = 0.0

    def start(self) -> None:
        threading.Thread(target=self._read, name="event-bus-replay-reader", daemon=True).start()

    def _read(self) -> None:
        try:
            with self.reader() as reader:
                for place in self.places:
                    self._read_place(reader, place)
            self.run.fill((), is_all=True)
        except EventBusError as error:
            self.run.end(_halt(error))
        except Exception as error:  # a thread would die unseen, and the request wait for ever
            logger.exception("The records of a replay request cannot be read")
            self.run.end(Halt(HaltKind.FAILED, f"this package raised {type(error).__name__} while it read records"))

    def _read_place(self, reader: Reader, place: Place) -> None:
        if place.position >= place.end:
            return
        there = reader.range_of(place.name, timeout=reader.timeout)
        if there.end < place.end:
            raise NotThere(
                f"{place.topic}:{place.partition} ends at offset {there.end} now, before {place.end}: the topic "
                "was created anew, or has lost records. Request a replay of the records that exist now"
            )
        if there.start > place.position:
            self.records.leave_out(place, min(there.start, place.end))
        if place.position < place.end:
            for record in reader.read(place.name, Range(place.position, place.end)):
                if not self._has_room():
                    return
                self._take(place, record)
                self._give_way()
        self._pass_over(place, place.end - 1)  # the last offsets may have no records

    def _take(self, place: Place, record: ConsumerRecord) -> None:
        if self.wanted.fits(record, self.registry):
            self.run.fill([(self.records.add(place, record), record.key)], is_all=False)
        else:
            self._pass_over(place, record.offset)

    def _pass_over(self, place: Place, offset: int) -> None:
        if self.records.pass_over(place, offset):
            self.run.has_passed_over = True

    def _give_way(self) -> None:
        took = monotonic() - self._rested_at
        if took > _SLICE:
            if self.run.is_busy:
                sleep(_REST * min(took, _LONGEST_SLICE))
            self._rested_at = monotonic()

    def _has_room(self) -> bool:
        """Wait until another record may be read. Return False if the run has halted."""
        while self.records.is_full and self.run.halt is None:
            sleep(_LOOK_AGAIN)
        return self.run.halt is None


def _halt(error: EventBusError) -> Halt:
    is_missing = isinstance(error, BrokerError) and error.kind is Trouble.MISSING
    kind = HaltKind.STOPPED if _is_final(error) else HaltKind.HELD
    return Halt(kind, error_text(error), within=_MISSING_FOR if is_missing else inf)


def _is_final(error: EventBusError) -> bool:
    """
    Whether an error stays until somebody removes its cause. The request is then stopped, because a waiting request
    would keep other requests from their turn.
    """
    if isinstance(error, BrokerError):
        return error.kind is Trouble.FORBIDDEN or not (error.retriable or error.fatal)
    return isinstance(error, (ConfigurationError, NotThere))
