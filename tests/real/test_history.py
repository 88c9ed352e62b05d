"""
The database adds up the counts of all processes for each minute. Later the minutes are combined into quarters of an
hour, and these into hours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from event_bus_kafka.housekeeping.history import tidy
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.history import HOUR, MINUTE, QUARTER, Line, Sums
from tests.support.counting import TYPE, Process, rows, totals
from tests.support.databases import Database, on_mysql_too
from tests.support.scale import scaled
from tests.support.statements import asked

pytestmark = [pytest.mark.real, on_mysql_too]

_HOUR, _DAY = HOUR * 1000, 86_400_000


@pytest.fixture(autouse=True)
def connected(database: Database) -> Iterator[None]:
    with database.connected("default"):
        yield


def in_threads(*functions: Callable[[], object]) -> list[BaseException]:
    """Run the functions concurrently, each on a separate connection; return the exceptions of the functions."""
    raised: list[BaseException] = []
    begin = threading.Barrier(len(functions))

    def run(function: Callable[[], object]) -> None:
        try:
            begin.wait()
            function()
        except BaseException as error:  # noqa: BLE001 the test says which
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_counts_of_several_processes_are_summed() -> None:
    web, worker = Process(), Process()
    web.count("appended", count=3)
    worker.count("done", count=2, seconds=1.5)
    worker.count("done", receiver="app.grade", seconds=0.25)
    for process in (web, worker):
        process.writer.write()
    web.count("appended", count=4)
    worker.count("done", seconds=0.5)
    for process in (web, worker):
        process.writer.write()
    assert totals() == {
        ("", "appended"): Sums(count=7, seconds=0.0, longest=0.0),
        ("", "done"): Sums(count=3, seconds=3.5, longest=1.5),
        ("app.grade", "done"): Sums(count=1, seconds=0.25, longest=0.25),
    }
    assert totals(("service",)).keys() == {("lms",)}
    now = database_now("default")
    assert all(0 <= now - row.begins < 180_000 and row.begins % 60_000 == 0 for row in rows())


def test_no_count_is_lost_when_history_is_written_and_combined_concurrently() -> None:
    """
    Each writer counts the same receivers in a different order. If the history did not sort its rows before it writes
    them, the writers would lock rows in different orders.
    """
    writers, turns, lines = 8, scaled(15, long=200), 6
    begins = database_now("default") // _HOUR * _HOUR - 2 * _DAY
    for minute in range(60):
        for number in range(lines):
            line = Line(service="lms", event_type=TYPE, receiver=f"old {number}", outcome="done")
            rows().add(line, Sums(count=1, seconds=1.0, longest=1.0), span=MINUTE, begins=begins + minute * 60_000)

    def write(first: int) -> Callable[[], None]:
        def turn() -> None:
            process = Process()
            for _ in range(turns):
                for number in range(lines):
                    process.count("done", seconds=1.0, receiver=f"receiver {(first + number) % lines}")
                process.writer.write()

        return turn

    def fold() -> None:
        for _ in range(5):
            list(tidy(7))

    assert in_threads(*map(write, range(writers)), fold, fold, fold) == []
    list(tidy(7))
    found = totals(("receiver",))
    assert {found[(f"receiver {number}",)].count for number in range(lines)} == {writers * turns}
    assert {found[(f"old {number}",)].count for number in range(lines)} == {60}
    assert rows().filter(span=HOUR).count() == lines


def test_rows_of_minutes_are_combined_into_quarter_hours_and_later_into_hours_with_equal_sums() -> None:
    now = database_now("default")
    yesterday = (now - _DAY) // _HOUR * _HOUR  # the hour that contains the time a day ago
    line = Line(service="lms", event_type=TYPE, receiver="", outcome="done")
    for hour in (-2, -1, 0, 24):
        for minute in (0, 1, 20):
            sums = Sums(count=hour + 10, seconds=1.0, longest=float(minute))
            rows().add(line, sums, span=MINUTE, begins=yesterday + hour * _HOUR + minute * 60_000)
    before = totals()
    list(tidy(7))
    assert totals() == before
    found = rows().order_by("begins").values_list("span", "begins", "count", "seconds", "longest")
    assert [(span, (begins - yesterday) // 60_000, *sums) for span, begins, *sums in found] == [
        (HOUR, -120, 24, 3.0, 20.0),
        (HOUR, -60, 27, 3.0, 20.0),
        (QUARTER, 0, 20, 2.0, 1.0),
        (QUARTER, 15, 10, 1.0, 20.0),
        (MINUTE, 1440, 34, 1.0, 0.0),
        (MINUTE, 1441, 34, 1.0, 1.0),
        (MINUTE, 1460, 34, 1.0, 20.0),
    ]
    with asked() as statements:
        list(tidy(7))
    assert set(statements) == {"SELECT"}


def test_history_rows_are_combined_at_the_second_attempt_if_a_row_changes_during_the_first_attempt() -> None:
    begins = (database_now("default") - 2 * _DAY) // _HOUR * _HOUR
    line = Line(service="lms", event_type=TYPE, receiver="", outcome="done")
    one = Sums(count=1, seconds=1.0, longest=1.0)
    for minute in range(2):
        rows().add(line, one, span=MINUTE, begins=begins + minute * 60_000)
    late: list[bool] = []

    def add(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("DELETE") and not late:
            late.append(True)
            assert in_threads(lambda: rows().add(line, one, span=MINUTE, begins=begins + 60_000)) == []
        return execute(sql, *arguments)

    with connections["default"].execute_wrapper(add):
        list(tidy(7))
    assert (rows().filter(span=HOUR).count(), rows().count()) == (0, 2)
    list(tidy(7))
    assert [(row.span, row.count) for row in rows()] == [(HOUR, 3)]


def test_long_names_of_receivers_have_separate_history_rows_if_they_differ_at_the_end_or_in_case() -> None:
    process = Process()
    for name in ("R" * 499 + "a", "R" * 499 + "A", "ä" * 500, "Ä" * 500):
        process.count("done", receiver=name, of="t" * 255)
    process.writer.write()
    assert [row.count for row in rows()] == [1] * 4


def test_the_history_never_counts_events_that_preceded_its_migration() -> None:
    call_command("migrate", "event_bus_kafka", "0009", verbosity=0)
    process = Process()
    process.count("done", count=1_000)
    process.writer.write()
    assert list(tidy(7)) == []
    call_command("migrate", "event_bus_kafka", verbosity=0)
    process.count("done")
    process.writer.write()
    assert totals(("outcome",)) == {("done",): Sums(count=1, seconds=0.0, longest=0.0)}
