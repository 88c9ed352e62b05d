"""The numbers of rows, bytes and SQL statements of the history agree with the numbers in docs/operating/history.rst."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import perf_counter

import pytest
from django.db import connections

from event_bus_kafka.housekeeping.history import tidy
from event_bus_kafka.models import HistoryRow
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.history import HOUR, MINUTE, Line, Sums
from tests.support.counting import TYPE, rows
from tests.support.databases import Database, on_mysql_too
from tests.support.scale import LONG, scaled

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(7200), on_mysql_too]

_DAY, _MINUTE = 86_400_000, MINUTE * 1000
_WEB, _WORKERS = scaled(5, long=200), scaled(2, long=20)
_MINUTES = scaled(120, long=1_440)
_BYTES = 600
"""
The maximal size in bytes of a row together with its two indexes, on any of the servers. docs/operating/history.rst
contains this number.
"""


@pytest.fixture(autouse=True)
def connected(database: Database) -> Iterator[None]:
    with database.connected("default"):
        yield


def lines(*outcomes: str, receiver: str = "") -> list[Line]:
    """Return lines of history for two event types: one line for each type and outcome."""
    types = (TYPE, TYPE.replace("created", "revoked"))
    return [
        Line(service="lms", event_type=event_type, receiver=receiver, outcome=outcome)
        for event_type in types
        for outcome in outcomes
    ]


WEB_LINES = lines("appended")
WORKER_LINES = lines("received", "done") + lines("done", receiver="lms.djangoapps.certificates.receivers.update")


def write(processes: list[list[Line]], begins: int) -> None:
    """Write the counts of several processes for one day. Each process counts all its lines in each minute."""
    one = Sums(count=3, seconds=0.25, longest=0.125)
    for minute in range(_MINUTES):
        for written in processes:
            for line in written:
                rows().add(line, one, span=MINUTE, begins=begins + minute * _MINUTE)
    connections.close_all()


def test_a_day_of_history_has_the_documented_number_of_rows_and_bytes() -> None:
    processes = [WEB_LINES] * _WEB + [WORKER_LINES] * _WORKERS
    all_lines = len(WEB_LINES) + len(WORKER_LINES)
    begins = database_now("default") // _DAY * _DAY - 2 * _DAY
    began = perf_counter()
    threads = [threading.Thread(target=write, args=(processes[first::4], begins)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, statements = perf_counter() - began, _MINUTES * sum(map(len, processes))

    assert rows().count() == all_lines * _MINUTES
    assert sum(rows().values_list("count", flat=True)) == 3 * statements
    size = _size()
    print(
        f"{connections['default'].vendor}: {statements} statements in {took:.0f} s; {all_lines * _MINUTES} rows of "
        f"{size / all_lines / _MINUTES:.0f} bytes"
    )
    assert not LONG or size <= _BYTES * all_lines * _MINUTES

    began = perf_counter()
    slices, longest = 0, 0.0
    for _ in tidy(7):
        slices, longest, began = slices + 1, max(longest, perf_counter() - began), perf_counter()
    print(f"folded in {slices} slices, the longest took {longest:.2f} s")
    assert rows().count() == all_lines * _MINUTES // 60
    assert rows().filter(span=HOUR).count() == rows().count()
    assert sum(rows().values_list("count", flat=True)) == 3 * statements


def _size() -> int:
    """Return the size of the table and its indexes in bytes."""
    table = HistoryRow._meta.db_table
    with connections["default"].cursor() as cursor:
        if connections["default"].vendor == "postgresql":
            cursor.execute(f"SELECT pg_total_relation_size('{table}')")
        else:
            cursor.execute(f"ANALYZE TABLE {table}")
            cursor.fetchall()
            cursor.execute(
                "SELECT data_length + index_length FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name = %s",
                [table],
            )
        return int(cursor.fetchone()[0])
