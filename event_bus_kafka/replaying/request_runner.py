"""Takes replay requests for a worker, one after the other, and writes their progress to the database."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterator
from math import inf
from time import monotonic
from typing import Any
from uuid import uuid4

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
from event_bus_kafka.replaying.holds import Held
from event_bus_kafka.replaying.orphans import settle_orphans
from event_bus_kafka.replaying.request_run import LetterLanes, RequestRun
from event_bus_kafka.replaying.requested_letter_run import RequestedLetterRun
from event_bus_kafka.replaying.requested_runs import RequestedRuns
from event_bus_kafka.replaying.standstill import Standstill
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ReplayRequestChanged
from event_bus_kafka.telemetry.state import Replaying

_LOOK_FOR_TABLE_EVERY, _LOOK_FOR_REQUESTS_EVERY, _BEAT_EVERY = 60.0, 5.0, 1.0
"""Seconds between two looks for a missing table, between two looks for requests, and between two heartbeats."""
_READ_AHEAD = 500
"""Number of letters read at once. It suffices for many seconds, because each letter takes several statements."""
_SETTLE_EVERY = 60.0
_SUBMIT_WITHIN = 5.0
"""Seconds until the polling thread calls ``submit`` again while there is no request, to show that it is alive."""
_LONGEST_NAME = 255
_STOPPED = Halt(HaltKind.HANDED_BACK)
_ENDS = {HaltKind.STOPPED: RequestState.STOPPED, HaltKind.FAILED: RequestState.FAILED}


class RequestRunner:
    """
    Runs the replay requests of a group in one worker, one after the other. The housekeeping thread calls ``turn`` and
    ``hand_back``; the polling thread calls ``submit`` and ``end``. Neither thread waits for the other.
    """

    def __init__(
        self,
        group: str,
        replay: LetterReplay,
        lanes: LetterLanes,
        *,
        runs: RequestedRuns | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._group = group
        self._replay = replay
        self._lanes = lanes
        self._clock = clock
        self._runs = runs
        self._id = runs.by if runs else uuid4()
        self._name = f"{socket.gethostname()[:200]}:{os.getpid()}"[:_LONGEST_NAME]
        self._request: ReplayRequest | None = None
        self._run: RequestRun[Any] | None = None
        self._held = Held()
        self._standstill = Standstill(lanes.records, clock)
        self._settled_at = -inf
        self._has_table = True
        self._is_ending = False

    def submit(self, *, is_busy: bool) -> float:
        self._standstill.turned()
        run = self._run
        return _SUBMIT_WITHIN if run is None else run.submit(is_busy=is_busy)

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
        """The request that this worker runs; None: this worker runs no request. Any thread may read this attribute."""
        request, run, held = self._request, self._run, self._held
        if request is None:
            return None
        done, running = (run.ended, len(run.running)) if run else (0, 0)
        return Replaying(request=request.pk, done=done, running=running, holds=0 if done else held.times)

    def turn(self) -> None:
        """
        If this worker has no request, take a request. If it has a request, renew the claim and read the request's next
        letters. Every minute, call :func:`settle_orphans`, too.
        """
        alias = alias_of(RequestedLetter)  # this table is created last
        self._has_table = alias is not None
        if alias is None:
            return
        rows, standstill = ReplayRequest.objects.using(alias), self._standstill.reason()
        if self._request is None and not self._is_ending and not standstill:
            self._request = self._taken(rows)
        if self._request is not None:
            self._go_on(rows, self._request, standstill)
        if self._clock() - self._settled_at >= _SETTLE_EVERY:
            settle_orphans(alias, self._group)
            self._settled_at = self._clock()

    def hand_back(self) -> None:
        """
        Begin no further letter, and release the request for other workers. If a letter still runs here, only save the
        progress, because another worker would run this letter, too.
        """
        self.end()
        request, run = self._request, self._run
        if request is None or (run is not None and run.running):
            self._save()
        elif alias := alias_of(RequestedLetter):
            self._give_back(ReplayRequest.objects.using(alias), request)

    def _taken(self, rows: ReplayRequestQuerySet) -> ReplayRequest | None:
        for request in self._in_turn(rows):
            if _has_any(request.receivers) and rows.take(request.pk, by=self._id, worker=self._name):
                self._held = Held()
                self._tell(request, RequestState.RUNNING)
                return request
        return None

    def _in_turn(self, rows: ReplayRequestQuerySet) -> Iterator[ReplayRequest]:
        yield from rows.in_turn(self._group)
        if self._runs is not None:
            yield from self._runs.in_turn(rows)

    def _go_on(self, rows: ReplayRequestQuerySet, request: ReplayRequest, standstill: str) -> None:
        at, is_ours = self._clock(), self._beat(rows, request)
        if self._run is None:
            if not is_ours:
                self._leave(rows, request)
            elif standstill:
                self._give_back(rows, request, standstill)
            elif at >= self._held.until:
                self._begin(rows, request)
        elif not is_ours:
            self._run.end(Halt(HaltKind.LOST))
            rows.keep(request.pk, by=self._id)  # otherwise another worker could take it while letters run here
        elif standstill:
            self._run.end(Halt(HaltKind.HANDED_BACK, standstill))
        if (run := self._run) is not None:
            run.keep_on(at)
            self._fill(run, request, rows.db)
            self._conclude(rows, request, run)

    def _beat(self, rows: ReplayRequestQuerySet, request: ReplayRequest) -> bool:
        """
        Renew the claim. If the request has made progress after a hold, delete the note about the hold. Return False if
        the claim is lost, or the request is not running.
        """
        run = self._run
        if run is not None:
            request.failures_in_row = run.failures_in_row
        is_moving = run is not None and run.has_moved and self._held.times > 0
        values = {"note": ""} if is_moving else {}
        is_ours = rows.beat(request.pk, by=self._id, failures_in_row=request.failures_in_row, **values)
        if is_ours and is_moving:
            self._held = Held()
        return is_ours

    def _begin(self, rows: ReplayRequestQuerySet, request: ReplayRequest) -> None:
        if request.group or self._runs is None:
            letters = RequestedLetterRun(replay=self._replay, alias=rows.db, receiver=request.receiver)
            run: RequestRun[Any] | Halt = RequestRun(request, letters, self._lanes, self._clock)
        else:
            run = self._runs.begin(request, rows.db, self._lanes, self._clock)
        if isinstance(run, Halt) and run.kind is HaltKind.LOST:
            self._leave(rows, request)
            return
        if isinstance(run, Halt):
            self._finish(rows, request, _ENDS[run.kind], run.note)
            return
        self._run = run
        if self._is_ending:  # end() may have run before the assignment
            run.end(_STOPPED)

    def _fill(self, run: RequestRun[Any], request: ReplayRequest, alias: str) -> None:
        if not request.group:  # the run of a topic or a backfill fills itself
            if not self._save():
                run.end(Halt(HaltKind.LOST))
            return
        if run.is_all or run.halt is not None or run.waiting > _READ_AHEAD // 2:
            return
        rows = RequestedLetter.objects.using(alias)
        letters = rows.left(request.pk, after=run.filled_to, most=_READ_AHEAD)
        keys = DeadLetter.objects.for_writing().record_keys([one.letter for one in letters])
        run.fill([(one, keys.get(one.letter)) for one in letters], is_all=len(letters) < _READ_AHEAD)

    def _conclude(self, rows: ReplayRequestQuerySet, request: ReplayRequest, run: RequestRun[Any]) -> None:
        """
        Finish this worker's work on the request: end, hold or release it. Do nothing while the run goes on, or while a
        letter runs.
        """
        is_over = run.is_over  # read before halt: the last letter may halt the run instead of ending
        halt = run.halt
        if halt is None:
            if is_over:
                self._finish(rows, request, RequestState.DONE)
        elif run.running:
            return
        elif halt.kind is HaltKind.HANDED_BACK:
            self._give_back(rows, request, halt.note)
        elif halt.kind is HaltKind.HELD:
            self._hold(rows, request, run, halt)
        elif halt.kind in _ENDS:
            self._finish(rows, request, _ENDS[halt.kind], halt.note)
        elif halt.kind is HaltKind.LOST:
            self._leave(rows, request)

    def _finish(self, rows: ReplayRequestQuerySet, request: ReplayRequest, state: RequestState, note: str = "") -> None:
        self._release()
        if rows.finish(request.pk, state, by=self._id, note=note):
            self._tell(request, state, note)
            self._request = self._run = None
        else:  # the request was cancelled or paused meanwhile
            self._leave(rows, request)

    def _leave(self, rows: ReplayRequestQuerySet, request: ReplayRequest) -> None:
        self._release()
        rows.let_go(request.pk, by=self._id)
        state = rows.filter(pk=request.pk).values_list("state", flat=True).first()
        self._tell(request, state or "gone", "this worker has released it")
        self._request = self._run = None

    def _give_back(self, rows: ReplayRequestQuerySet, request: ReplayRequest, why: str = "") -> None:
        """
        Release the request. The caller ensures that none of its letters is running here. ``why``: reason for its note;
        empty: no note.
        """
        note = f"worker {self._name} has handed it back: {why}" if why else ""
        self._release()
        rows.let_go(request.pk, by=self._id, note=note)
        self._tell(request, RequestState.REQUESTED, why)
        self._request = self._run = None

    def _hold(self, rows: ReplayRequestQuerySet, request: ReplayRequest, run: RequestRun[Any], halt: Halt) -> None:
        self._held = (Held() if run.has_moved else self._held).again(halt, self._clock())
        if self._held.is_too_long:
            self._finish(rows, request, RequestState.STOPPED, self._held.note)
            return
        self._save()
        rows.beat(request.pk, by=self._id, note=self._held.note)
        self._tell(request, "held", self._held.note)
        self._run = None

    def _save(self) -> bool:
        """
        If this worker does a run (a replay of a topic, or a backfill), save the run's progress. Return False if another
        worker has the run.
        """
        return self._runs is None or self._runs.save()

    def _release(self) -> None:
        """Save the progress of a run for the last time, and release the run."""
        if self._runs is not None:
            self._runs.release()

    def _tell(self, request: ReplayRequest, state: str, note: str = "") -> None:
        letters = self._run.ended if self._run else 0
        emit(ReplayRequestChanged(request=request.pk, group=self._group, state=state, note=note, letters=letters))


def _has_any(receivers: Collection[str]) -> bool:
    """Return True if this service has one of ``receivers``, or if ``receivers`` is empty, which means all receivers."""
    return not receivers or not dispatch.receiver_names().isdisjoint(receivers)
