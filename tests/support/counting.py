"""Simulates processes that count events, and reads the history that these processes write."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from typing import Any

from django.db.models import F

from event_bus_kafka.db_connections import names_of_databases
from event_bus_kafka.housekeeping.history import HistoryWriter
from event_bus_kafka.models import HistoryRow
from event_bus_kafka.models.history import Line, Sums
from event_bus_kafka.operations.history import history

TYPE = "org.openedx.learning.certificate.created.v1"


class Process:
    """Simulates a process that counts events and writes the counts to the history."""

    def __init__(self, service: str = "lms") -> None:
        self._service, self._lock = service, Lock()
        self._sums: dict[Line, Sums] = {}
        self.writer = HistoryWriter(self._read, names_of_databases())

    def count(self, outcome: str, *, count: int = 1, seconds: float = 0.0, receiver: str = "", of: str = TYPE) -> None:
        line = Line(service=self._service, event_type=of, receiver=receiver, outcome=outcome)
        more = Sums(count=count, seconds=count * seconds, longest=seconds)
        with self._lock:
            before = self._sums.get(line, Sums(count=0, seconds=0.0, longest=0.0))
            self._sums[line] = Sums.total([before, more])

    def _read(self) -> dict[Line, Sums]:
        with self._lock:
            found = dict(self._sums)
            self._sums = {line: Sums(count=one.count, seconds=one.seconds, longest=0.0) for line, one in found.items()}
        return found


def rows() -> Any:
    return HistoryRow.objects.using("default")


def totals(by: tuple[str, ...] = ("receiver", "outcome")) -> dict[tuple[str, ...], Sums]:
    """Return the sums of the history over all periods, grouped by the given columns."""
    found: dict[tuple[str, ...], list[Sums]] = {}
    for (_, name), sums in history(datetime.fromtimestamp(0, UTC), by).items():
        found.setdefault(name, []).append(sums)
    return {name: Sums.total(sums) for name, sums in found.items()}


def older(milliseconds: int) -> None:
    rows().update(begins=F("begins") - milliseconds)
