"""
The history in the database contains each count exactly once, even after a failed write. Counts are read from a given
time on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import OperationalError, connections
from pytest_django import DjangoDbBlocker

from event_bus_kafka.assembly.housekeeping import _History
from event_bus_kafka.db_connections import names_of_databases
from event_bus_kafka.housekeeping.database import alias_of
from event_bus_kafka.housekeeping.history import HistoryWriter, tidy
from event_bus_kafka.models import HistoryRow
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.history import HOUR, MINUTE, QUARTER, Sums
from event_bus_kafka.operations.history import history
from event_bus_kafka.telemetry.metrics import EVENTS_APPENDED
from event_bus_kafka.telemetry.tallies import tallies
from tests.support.counting import TYPE, Process, older, rows, totals
from tests.support.databases import connected
from tests.support.sqlite import on_sqlite
from tests.support.statements import asked


@pytest.fixture(autouse=True)
def on_file(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        yield


_DAY = 86_400_000


def test_counts_are_written_exactly_once_even_if_the_first_write_failed() -> None:
    process = Process()
    for outcome in ("delivered", "appended", "rejected"):
        process.count(outcome, count=2, seconds=3.0)
    inserted: list[str] = []

    def refuse(execute: Any, sql: str, *arguments: Any) -> Any:
        inserted.extend([sql] if sql.startswith("INSERT") else [])
        if len(inserted) == 2:
            raise OperationalError("gone away")
        return execute(sql, *arguments)

    with connections["default"].execute_wrapper(refuse), pytest.raises(OperationalError):
        process.writer.write()
    assert rows().count() == 1
    process.count("appended", seconds=1.0)
    process.writer.write()
    process.writer.write()
    assert totals() == {
        ("", "appended"): Sums(count=3, seconds=7.0, longest=3.0),
        ("", "delivered"): Sums(count=2, seconds=6.0, longest=3.0),
        ("", "rejected"): Sums(count=2, seconds=6.0, longest=3.0),
    }


def test_history_rows_older_than_the_setting_are_deleted() -> None:
    process = Process()
    process.count("done")
    process.writer.write()
    older(_DAY // 2)
    list(tidy(1))
    assert rows().count() == 1
    list(tidy(0.4))
    assert rows().count() == 0


def test_old_history_rows_are_combined_into_rows_for_longer_periods() -> None:
    """Otherwise, a page that shows a day or a week would add up a row for each minute."""
    process = Process()
    process.count("done")
    process.writer.write()
    for age, span in ((0, MINUTE), (3 * HOUR, QUARTER), (24 * HOUR, HOUR)):
        older(age * 1000)
        list(tidy(7))
        assert [row.span for row in rows()] == [span]


def test_history_is_read_since_a_given_time_and_summed_by_chosen_columns() -> None:
    one, other = Process("lms"), Process("cms")
    for process in (one, other):
        process.count("delivered", count=2)
        process.writer.write()
    now = datetime.fromtimestamp(database_now("default") / 1000, UTC)
    found = history(now - timedelta(minutes=5), ("outcome",))
    assert {name for _, name in found} == {("delivered",)}
    assert sum(sums.count for sums in found.values()) == 4
    assert all(period.seconds == 60 and now - period.begins < timedelta(minutes=3) for period, _ in found)
    assert history(now + timedelta(minutes=1)) == {}


def test_a_process_writes_only_changed_counts_into_the_history() -> None:
    process = Process()
    for outcome in ("delivered", "appended", "rejected"):
        process.count(outcome)
    process.writer.write()
    process.count("delivered")
    process.count("spilled")
    with asked() as statements:
        process.writer.write()
    assert statements == ["SELECT", "INSERT", "INSERT"]  # the writer asks for the time first
    with asked() as statements:
        process.writer.write()
    assert statements == []


def test_history_is_not_written_into_a_database_in_memory() -> None:
    process = Process()
    process.count("done")
    assert alias_of(HistoryRow) == "default"
    with connected({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, "default") as connection:
        call_command("migrate", verbosity=0)
        assert alias_of(HistoryRow) is None
        process.writer.write()
        assert rows().count() == 0
        connection.connection.close()  # Django leaves the connection open
    with connected({"ENGINE": "django.db.backends.dummy"}, "default"):
        assert alias_of(HistoryRow) is None


def test_counts_made_before_the_history_writer_started_are_written() -> None:
    """
    Several threads send their first event at the same time. One thread starts the history while the other threads
    already count.
    """
    process = Process()
    process.count("done")
    HistoryWriter(process._read, names_of_databases()).write()
    assert totals() == {("", "done"): Sums(count=1, seconds=0.0, longest=0.0)}


def test_counts_of_a_test_run_are_not_written_into_the_database_of_the_service(tmp_path: Path) -> None:
    """
    At the end of a test run, Django restores the database name of the service. Threads may still write counts after
    this moment.
    """
    process = Process()
    process.count("done")
    other = tmp_path / "other"
    other.mkdir()
    with on_sqlite(other, "default"):
        process.writer.write()
        assert rows().count() == 0
        process.count("done")
        process.writer.write()
        assert rows().count() == 0
    process.count("done")
    process.writer.write()
    assert totals() == {("", "done"): Sums(count=1, seconds=0.0, longest=0.0)}


def test_history_is_not_written_before_all_apps_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may send an event while its apps are being imported."""
    tallies.add(EVENTS_APPENDED, (TYPE,))
    monkeypatch.setattr(apps, "ready", False)
    write = _History(names_of_databases())
    write()
    monkeypatch.undo()
    assert rows().count() == 0
    write()
    assert totals()["", "appended"].count >= 1
