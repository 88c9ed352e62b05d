"""Adds this process's counts to the sums of all processes in the database. Imports models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from event_bus_kafka.db_connections import names_of_databases
from event_bus_kafka.housekeeping.database import alias_of
from event_bus_kafka.models import HistoryRow
from event_bus_kafka.models.batches import delete_in_batches
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.history import HOUR, MINUTE, QUARTER, SPANS, Line, Sums, row_id

_DAY = 86_400_000
"""A day in milliseconds."""
_MINUTE = MINUTE * 1000
_MINUTES_KEPT = 2 * HOUR * 1000
"""
Age in milliseconds at which rows for minutes are merged into quarters of an hour. Without the merge, a page about a
day or a week would have to sum one row per minute.
"""
_QUARTERS_KEPT = _DAY
"""Age in milliseconds at which rows for quarters of an hour are merged into hours."""


class HistoryWriter:
    """
    Writes the counts since the last write, with one SQL statement for each changed line.

    If a line cannot be written, its counts are part of the next write. Counts are dropped while the table is missing.
    Counts are also dropped if the database's name differs from the name in ``names``. This happens at the end of a test
    run, when the connection changes from the test database to the service's database.
    """

    def __init__(self, read: Callable[[], Mapping[Line, Sums]], names: Mapping[str, str]) -> None:
        """
        ``read``: returns the sums since this process started; their ``longest`` covers the time since the previous
        call. ``names``: alias → name of the database at the time when this process began to count.
        """
        self._read = read
        self._names = names
        self._written: dict[Line, Sums] = {}
        self._longest: dict[Line, float] = {}
        """Line → longest duration that is not written yet."""

    def write(self) -> None:
        """Write the counts since the last write. Raises a database error."""
        sums = self._read()
        changed = {line: more for line in sums if (more := self._more(line, sums[line])).count}
        if not changed:
            return
        alias = alias_of(HistoryRow)
        if alias is None or names_of_databases().get(alias) != self._names.get(alias):
            self._written, self._longest = dict(sums), {}
            return
        now = database_now(alias)
        begins = now - now % _MINUTE
        rows = HistoryRow.objects.using(alias)
        for line in sorted(changed, key=lambda line: row_id(line, MINUTE, begins).hex):
            rows.add(line, changed[line], span=MINUTE, begins=begins)
            self._written[line] = sums[line]
            del self._longest[line]

    def _more(self, line: Line, sums: Sums) -> Sums:
        before = self._written.get(line, _NOTHING)
        longest = self._longest[line] = max(self._longest.get(line, 0.0), sums.longest)
        return Sums(count=sums.count - before.count, seconds=sums.seconds - before.seconds, longest=longest)


_NOTHING = Sums(count=0, seconds=0.0, longest=0.0)


def tidy(days: float) -> Iterator[object]:
    """
    Delete rows that are older than ``days``. Merge rows for minutes that are older than two hours into quarters of an
    hour, and quarters that are older than a day into hours. Yield after each slice.
    """
    alias = alias_of(HistoryRow)
    if alias is None:
        return
    rows, now = HistoryRow.objects.using(alias), database_now(alias)
    for span in SPANS:
        yield from delete_in_batches(rows.expired(now - round(days * _DAY), span), rows.remove)
    yield from rows.fold(now - _MINUTES_KEPT, span=MINUTE, into=QUARTER)
    yield from rows.fold(now - _QUARTERS_KEPT, span=QUARTER, into=HOUR)
