"""Takes replay requests for a worker, one after the other, and writes their progress to the database."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection
from math import inf
from time import monotonic
from uuid import uuid4

import attrs

from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.housekeeping.database import alias_of
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.models import (
    DeadLetter,
    ReplayRequest,
    ReplayRequestQuerySet,
    RequestedLetter,
    RequestState,
)
from event_bus_kafka.operations.dead_letters.letter_replay import LetterReplay
from event_bus_kafka.replaying.halts import Halt, HaltKind
from event_bus_kafka.replaying.request_run import LetterLanes, RequestRun
from event_bus_kafka.replaying.requested_letter_run import RequestedLetterRun
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ReplayRequestChanged
from event_bus_kafka.telemetry.state import Replaying

_LOOK_FOR_TABLE_EVERY, _LOOK_FOR_REQUESTS_EVERY, _BEAT_EVERY = 60.0, 5.0, 1.0
"""
Seconds between two checks whether the table exists, between two searches for requests, and between two heartbeats. The
table may appear later, as services may be migrated while their workers run.
"""
_READ_AHEAD = 500
"""Number of letters per read: enough for many seconds, as each letter takes several statements."""
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0
"""
Seconds until a held request continues: the first delay and the longest one. The delay doubles with each hold until a
letter ends.
"""
_LONGEST_NAME = 255
_STOPPED = Halt(HaltKind.HANDED_BACK)
_ENDS = {HaltKind.STOPPED: RequestState.STOPPED, HaltKind.FAILED: RequestState.FAILED}


@attrs.define(eq=False)
class _Held:
    """The time until which this worker's request is held, and the delay of the next hold."""

    until: float
    delay: float


class RequestRunner:
    """
    The replay requests of a group in one worker. The housekeeping thread calls ``turn`` and ``hand_back``, the polling
    thread ``submit`` and ``end``; neither thread waits for the other.
    """

    def __init__(
        self, group: str, replay: LetterReplay, lanes: LetterLanes, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._group = group
        self._replay = replay
        self._lanes = lanes
        self._clock = clock
        self._id = uuid4()
        self._name = f"{socket.gethostname()[:200]}:{os.getpid()}"[:_LONGEST_NAME]
        self._request: ReplayRequest | None = None
        self._run: RequestRun | None = None
        self._held = _Held(-inf, _FIRST_DELAY)
        self._has_table = True
        self._is_ending = False

    def submit(self, *, is_busy: bool) -> float:
        run = self._run
        return inf if run is None else run.submit(is_busy=is_busy)

    def end(self) -> Collection[Partition]:
        self._is_ending = True
        run = self._run
        if run is None:
            return ()
        run.end(_STOPPED)
        return {one.partition.name for one in run.running}

    @property
    def turn_every(self) -> float:
        """Seconds until the next :meth:`turn`."""
        if not self._has_table:
            return _LOOK_FOR_TABLE_EVERY
        return _BEAT_EVERY if self._request else _LOOK_FOR_REQUESTS_EVERY

    @property
    def replaying(self) -> Replaying | None:
        """The request that this worker runs; None: it runs none. Any thread may ask."""
        request, run = self._request, self._run
        if request is None:
            return None
        return Replaying(request=request.pk, done=run.ended if run else 0, running=len(run.running) if run else 0)

    def turn(self) -> None:
        """If this worker has no request, take one. Otherwise renew its claim and read its next letters."""
        alias = alias_of(RequestedLetter)  # this table is created last
        self._has_table = alias is not None
        if alias is None:
            return
        rows = ReplayRequest.objects.using(alias)
        if self._request is None and not self._is_ending:
            self._request = self._taken(rows)
        if self._request is not None:
            self._go_on(rows, self._request)

    def hand_back(self) -> None:
        """
        Release the request for other workers, unless one of its letters is still running here: another worker would run
        that letter, too.
        """
        self.end()
        request, run = self._request, self._run
        if request is None or (run is not None and run.running):
            return
        if alias := alias_of(RequestedLetter):
            ReplayRequest.objects.using(alias).let_go(request.pk, by=self._id)
            self._tell(request, RequestState.REQUESTED)
            self._request = self._run = None

    def _taken(self, rows: ReplayRequestQuerySet) -> ReplayRequest | None:
        for request in rows.in_turn(self._group):
            if _has_any(request.receivers) and rows.take(request.pk, by=self._id, worker=self._name):
                self._held = _Held(-inf, _FIRST_DELAY)
                self._tell(request, RequestState.RUNNING)
                return request
        return None

    def _go_on(self, rows: ReplayRequestQuerySet, request: ReplayRequest) -> None:
        run, at = self._run, self._clock()
        if run is not None:
            request.failures_in_row = run.failures_in_row
        is_ours = rows.beat(request.pk, by=self._id, failures_in_row=request.failures_in_row)
        if not is_ours and run is None:
            self._leave(rows, request)
        elif not is_ours and run is not None:
            run.end(Halt(HaltKind.LOST))
            rows.keep(request.pk, by=self._id)  # otherwise another worker could take it while letters run here
        if run is None and is_ours and at >= self._held.until:
            run = self._begun(rows, request)
        if run is not None and self._run is run:
            run.keep_on(at)
            self._fill(run, request, rows.db)
            self._conclude(rows, request, run)

    def _begun(self, rows: ReplayRequestQuerySet, request: ReplayRequest) -> RequestRun:
        letters = RequestedLetterRun(replay=self._replay, alias=rows.db, receiver=request.receiver)
        rows.beat(request.pk, by=self._id, note="")
        self._run = run = RequestRun(request, letters, self._lanes, self._clock)
        if self._is_ending:  # end() may have run before the assignment
            run.end(_STOPPED)
        return run

    def _fill(self, run: RequestRun, request: ReplayRequest, alias: str) -> None:
        if run.is_all or run.halt is not None or run.waiting > _READ_AHEAD // 2:
            return
        rows = RequestedLetter.objects.using(alias)
        letters = rows.left(request.pk, after=run.filled_to, most=_READ_AHEAD)
        keys = DeadLetter.objects.for_writing().record_keys([one.letter for one in letters])
        run.fill([(one, keys.get(one.letter)) for one in letters], is_all=len(letters) < _READ_AHEAD)

    def _conclude(self, rows: ReplayRequestQuerySet, request: ReplayRequest, run: RequestRun) -> None:
        """End or hold the request, once its run is over, or has halted and no letter is running."""
        halt = run.halt
        if halt is None:
            if run.is_over:
                self._finish(rows, request, RequestState.DONE)
        elif run.running:
            return
        elif halt.kind is HaltKind.HELD:
            self._hold(rows, request, run, halt.note)
        elif halt.kind in _ENDS:
            self._finish(rows, request, _ENDS[halt.kind], halt.note)
        elif halt.kind is HaltKind.LOST:
            self._leave(rows, request)

    def _finish(self, rows: ReplayRequestQuerySet, request: ReplayRequest, state: RequestState, note: str = "") -> None:
        if rows.finish(request.pk, state, by=self._id, note=note):
            self._tell(request, state, note)
            self._request = self._run = None
        else:  # the request was cancelled or paused meanwhile
            self._leave(rows, request)

    def _leave(self, rows: ReplayRequestQuerySet, request: ReplayRequest) -> None:
        rows.let_go(request.pk, by=self._id)
        state = rows.filter(pk=request.pk).values_list("state", flat=True).first()
        self._tell(request, state or "gone", "this worker has released it")
        self._request = self._run = None

    def _hold(self, rows: ReplayRequestQuerySet, request: ReplayRequest, run: RequestRun, note: str) -> None:
        delay = _FIRST_DELAY if run.ended else self._held.delay
        self._held = _Held(self._clock() + delay, min(2 * delay, _LONGEST_DELAY))
        rows.beat(request.pk, by=self._id, note=note)
        self._tell(request, "held", note)
        self._run = None

    def _tell(self, request: ReplayRequest, state: str, note: str = "") -> None:
        letters = self._run.ended if self._run else 0
        emit(ReplayRequestChanged(request=request.pk, group=self._group, state=state, note=note, letters=letters))


def _has_any(receivers: Collection[str]) -> bool:
    """Return whether this service has one of ``receivers``. If none is named, all receivers run: return True."""
    here = {one.name for signal in dispatch.signals() for one in dispatch.receivers_of(signal)}
    return not receivers or bool(here.intersection(receivers))
