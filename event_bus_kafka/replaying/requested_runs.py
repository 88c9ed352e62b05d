"""Begins replays of topics, and backfills, in a worker, and saves their progress."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import attrs
from django.db import Error

from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.errors import EventBusError
from event_bus_kafka.housekeeping.database import alias_of
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.models import ReplayRequest, ReplayRequestQuerySet, RequestedRun
from event_bus_kafka.operations.records import Wanted
from event_bus_kafka.operations.requested_runs.backfill_sources import all_sources, enabled_routes
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import BackfillArguments, TopicArguments, arguments_of
from event_bus_kafka.producing.backfill import Backfill
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.replaying.batch_run import MOST, BatchRun, ItemBatch
from event_bus_kafka.replaying.halts import Halt, HaltKind
from event_bus_kafka.replaying.read_records import ReadRecord, ReadRecords
from event_bus_kafka.replaying.record_run import RecordRun
from event_bus_kafka.replaying.request_run import LetterLanes, RequestRun
from event_bus_kafka.replaying.topic_reading import TopicReading
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry.error_text import error_text

logger = logger_named(__name__)

_DEATHS = 3
"""
A run ends if this number of workers have died in it, one after the other, without progress. A record or an item may be
the cause.
"""


@attrs.define(eq=False, kw_only=True)
class _Begun:
    """The run on which this worker is working."""

    request: int
    alias: str
    progress: RunProgress
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    """Lock that is held while the progress changes."""
    saved: dict[str, Any] = attrs.field(factory=dict)
    """The progress as it was last saved, as JSON values; empty: not saved yet."""

    @property
    def rows(self) -> Any:
        return RequestedRun.objects.using(self.alias)


class RequestedRuns:
    """
    Begins replays of topics, and backfills, for a worker's :class:`RequestRunner`, and saves their progress. Only the
    housekeeping thread calls this object.

    ``processor``: opens no circuits and ignores limits for dead letters and errors. ``reader``: makes a client that is
    in no group. ``producer``: returns the producer that sends the events of backfills.
    """

    def __init__(
        self,
        processor: Processor,
        reader: Callable[[], AbstractContextManager[Reader]],
        producer: Callable[[], KafkaEventProducer],
    ) -> None:
        self.by = uuid4()
        """The id by which the worker claims requests."""
        self._processor = processor
        self._reader = reader
        self._producer = producer
        self._begun: _Begun | None = None

    def in_turn(self, rows: ReplayRequestQuerySet) -> list[ReplayRequest]:
        """Return the requests that this worker may take now and can run, oldest first."""
        if alias_of(RequestedRun) is None:
            return []
        return [one for one in rows.runs_in_turn(self._processor.group) if _can_do(one.run)]

    def begin(
        self, request: ReplayRequest, alias: str, lanes: LetterLanes, clock: Callable[[], float]
    ) -> RequestRun[Any] | Halt:
        """
        Begin the run of a request, or continue the run from its saved progress. Return a halt if this is not possible.
        Raises a database error.
        """
        try:
            return self._begin(request, alias, lanes, clock)
        except Error:
            raise
        except Exception as error:  # it would be raised at each turn, and keep the claim for ever
            logger.exception("Replay request %s cannot begin", request.pk)
            return Halt(HaltKind.FAILED, f"{error_text(error)} was raised when the request began")

    def _begin(
        self, request: ReplayRequest, alias: str, lanes: LetterLanes, clock: Callable[[], float]
    ) -> RequestRun[Any] | Halt:
        run = RequestedRun.objects.using(alias).hold(request.pk, by=self.by)
        if run is None:
            return Halt(HaltKind.LOST)
        self._begun = begun = _Begun(request=request.pk, alias=alias, progress=RunProgress.of(run.progress))
        if run.holder not in (None, self.by):
            begun.progress.deaths += 1
        if begun.progress.deaths >= _DEATHS:
            return Halt(HaltKind.STOPPED, f"{_DEATHS} workers in a row died while they ran it, without progress")
        if not self.save():  # before anything runs: the next worker must know of the deaths
            return Halt(HaltKind.LOST)
        arguments = arguments_of(run)
        if isinstance(arguments, TopicArguments):
            return self._replay(request, arguments, begun, lanes, clock)
        return self._backfill(request, arguments, begun, lanes, clock)

    def save(self) -> bool:
        """
        Save the progress of this worker's run if the progress has changed. Return False if another worker has the run.
        """
        begun = self._begun
        if begun is None:
            return True
        with begun.lock:
            if begun.saved and begun.progress.done > RunProgress.of(begun.saved).done:
                begun.progress.deaths = 0
            progress = begun.progress.as_json()
        if progress == begun.saved:
            return True
        if not begun.rows.save_progress(begun.request, progress, by=self.by):
            return False
        begun.saved = progress
        return True

    def release(self) -> None:
        """Save the progress of this worker's run for the last time, and release the run for other workers."""
        self.save()
        if self._begun is not None:
            self._begun.rows.release(self._begun.request, by=self.by)
            self._begun = None

    def _replay(
        self,
        request: ReplayRequest,
        arguments: TopicArguments,
        begun: _Begun,
        lanes: LetterLanes,
        clock: Callable[[], float],
    ) -> RequestRun[ReadRecord]:
        records = ReadRecords(begun.progress, begun.lock)
        run = RequestRun(request, RecordRun(self._processor, request.receiver, records), lanes, clock)
        TopicReading(
            reader=self._reader,
            registry=self._processor.registry,
            wanted=_wanted(arguments),
            places=begun.progress.places,
            records=records,
            run=run,
        ).start()
        return run

    def _backfill(
        self,
        request: ReplayRequest,
        arguments: BackfillArguments,
        begun: _Begun,
        lanes: LetterLanes,
        clock: Callable[[], float],
    ) -> RequestRun[ItemBatch] | Halt:
        source = all_sources().get(arguments.source)
        if source is None or not (to := enabled_routes(source)):
            return Halt(HaltKind.STOPPED, "its worker has no such source any more, or no topic for its events")
        if (now := source.signal.event_type) != arguments.event_type:
            return Halt(HaltKind.STOPPED, f"its source now sends {now}, but {arguments.event_type} was requested")
        most = max(1, int(min(MOST, request.rate or MOST, request.stop_after)))
        backfill = Backfill(signal=source.signal, routes=to, producer=self._producer())
        batches = BatchRun(
            source=source,
            backfill=backfill,
            progress=begun.progress,
            lock=begun.lock,
            most=most,
            limit=arguments.limit,
            stop_after=request.stop_after,
        )
        run = RequestRun(request, batches, lanes, clock, each=most)
        batches.more = lambda batch: run.fill([(batch, None)] if batch else (), is_all=batch is None)
        batches.more(ItemBatch(number=0, topic=source.name))
        return run


def _can_do(run: RequestedRun) -> bool:
    """
    Whether this service can do a run. A backfill needs its source and an enabled route to a topic. A replay of a topic
    needs a receiver, which ``request_runner.py`` checks.
    """
    try:
        arguments = arguments_of(run)
        if isinstance(arguments, TopicArguments):
            return True
        source = all_sources().get(arguments.source)
        return source is not None and bool(enabled_routes(source))
    except (EventBusError, TypeError, ValueError):  # a source is broken, or the arguments are of a later version
        return False


def _wanted(arguments: TopicArguments) -> Wanted:
    return Wanted(event_type=arguments.event_type, key=arguments.key, since=arguments.since, before=arguments.before)
