"""Writes heartbeats of the workers and relays of this process, with their state, to the database. Imports models."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Set
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import attrs

from event_bus_kafka.housekeeping.database import alias_of
from event_bus_kafka.models import Heartbeat
from event_bus_kafka.models.batches import delete_in_batches
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.telemetry.state import ConsumerSource, RelaySource, Running

_LOOK_FOR_TABLE_EVERY = 60.0
"""Seconds until the next call of ``beat`` if the table of heartbeats is missing."""
_LOOK_FOR_RUNS_EVERY = 1.0
"""Seconds until the next call of ``beat`` if this process has no worker or relay."""
_KEPT = 86_400_000
"""Milliseconds after which the row of a worker or relay that has ended or died is deleted."""
_LONGEST = 255
_RATES = {"consumer": ("received", "retried", "done", "dead-lettered", "skipped"), "relay": ("relayed", "parked")}
"""
The outcomes whose rates a heartbeat contains. A rate is the number of occurrences per second in the whole process since
the previous heartbeat.
"""

Source = ConsumerSource | RelaySource


@attrs.define(eq=False)
class _Run:
    """A worker or relay of this process, and its row in the database."""

    began: float
    row: UUID = attrs.field(factory=uuid4)
    about: dict[str, Any] = attrs.field(factory=dict)
    """Fields of the row, computed from the latest state of the worker or relay."""
    is_over: bool = False
    """Whether the final heartbeat, with the time of the end, was written."""


class Heartbeats:
    """Writes a row for each worker and relay of this process, with one SQL statement per heartbeat."""

    def __init__(
        self, running: Running, totals: Callable[[], Mapping[str, int]], *, period: float, service: str, version: str
    ) -> None:
        """
        ``totals``: returns outcome → number of occurrences in this process. ``period``: seconds between two heartbeats.
        ``version``: the version of this package.
        """
        self._running = running
        self._rates = Rates(totals)
        self._period = period
        self._common = {
            "host": socket.gethostname()[:_LONGEST],
            "pid": os.getpid(),
            "service": service[:_LONGEST],
            "version": version,
            "period": period,
        }
        self._runs: dict[Source, _Run] = {}
        self._lacks_table = False

    @property
    def beat_every(self) -> float:
        """Seconds until the next call of :meth:`beat` is due."""
        if not self._runs:
            return _LOOK_FOR_RUNS_EVERY
        return _LOOK_FOR_TABLE_EVERY if self._lacks_table else self._period

    def beat(self) -> None:
        """
        Write a heartbeat for each worker and relay. If a worker or relay has ended, write its final heartbeat. Raises a
        database error.
        """
        present = self._look()
        self._write(ending=self._runs.keys() - present)

    def stop(self) -> None:
        """Write the final heartbeats of all workers and relays. Raises a database error."""
        self._look()
        self._write(ending=self._runs.keys())

    def _look(self) -> set[Source]:
        present: set[Source] = {*self._running.consumers, *self._running.relays}
        for source in present:
            run = self._runs.setdefault(source, _Run(monotonic()))
            run.about = _about(source)
        self._runs = {source: run for source, run in self._runs.items() if source in present or not run.is_over}
        return present

    def _write(self, ending: Set[Source]) -> None:
        left = {source: run for source, run in self._runs.items() if not run.is_over}
        if not left:
            return
        alias = alias_of(Heartbeat)
        self._lacks_table = alias is None
        if alias is None:
            return
        rows, rates = Heartbeat.objects.using(alias), self._rates.since_last()
        for source, run in left.items():
            age, is_last = monotonic() - run.began, source in ending
            run.about["state"]["health_port"] = self._running.health_port
            run.about["state"]["rates"] = {name: rates.get(name, 0.0) for name in _RATES[run.about["kind"]]}
            rows.beat(run.row, age=age, is_last=is_last, **self._common, **run.about)
            run.is_over = is_last


def purge() -> Iterator[int]:
    """Delete in slices the heartbeats of workers and relays that ended or died more than a day ago."""
    if alias := alias_of(Heartbeat):
        rows = Heartbeat.objects.using(alias)
        yield from delete_in_batches(rows.expired(database_now(alias) - _KEPT), rows.remove)


class Rates:
    """Computes occurrences per second from totals."""

    def __init__(self, totals: Callable[[], Mapping[str, int]]) -> None:
        self._totals = totals
        self._before, self._at = totals(), monotonic()

    def since_last(self) -> Mapping[str, float]:
        """Return a dict: outcome → number of occurrences per second since the previous call."""
        totals, now = self._totals(), monotonic()
        before, seconds = self._before, max(now - self._at, 0.001)
        self._before, self._at = totals, now
        return {name: round((count - before.get(name, 0)) / seconds, 3) for name, count in totals.items()}


def _about(source: Source) -> dict[str, Any]:
    if callable(source):
        state = source()
        about = {"kind": "consumer", "group": state.group[:_LONGEST], "topics": list(state.topics)}
        return about | {"state": attrs.asdict(state)}
    known = {"database": source.database, "obstacles": source.obstacles, "is_alive": source.is_alive}
    return {"kind": "relay", "group": "", "topics": [], "state": attrs.asdict(source.last) if source.last else known}
