"""What is counted is written once, whatever fails meanwhile, and read by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections

from event_bus_kafka.housekeeping.history import tidy
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.history import Sums
from event_bus_kafka.operations.history import history
from tests.support.counting import Process, older, rows, totals
from tests.support.statements import asked

pytestmark = pytest.mark.django_db(transaction=True)

_DAY = 86_400_000


def test_what_is_not_written_is_written_the_next_time_and_nothing_twice() -> None:
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


def test_what_is_older_than_is_kept_goes() -> None:
    process = Process()
    process.count("done")
    process.writer.write()
    older(_DAY // 2)
    list(tidy(1))
    assert rows().count() == 1
    list(tidy(0.4))
    assert rows().count() == 0


def test_history_is_read_from_a_time_on_by_what_is_asked_for() -> None:
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


def test_a_process_writes_one_statement_for_each_line_that_has_changed() -> None:
    process = Process()
    for outcome in ("delivered", "appended", "rejected"):
        process.count(outcome)
    process.writer.write()
    process.count("delivered")
    process.count("spilled")
    with asked() as statements:
        process.writer.write()
    assert statements == ["SELECT", "INSERT", "INSERT"]  # it asks for the time first
    with asked() as statements:
        process.writer.write()
    assert statements == []
