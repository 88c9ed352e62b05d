"""What the tour says of changes that did not arrive as they were made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from examples.changes import Arrivals, Change, differences


def change(course: str, time: str, **fields: object) -> Change:
    return {"course": course, "changed_at": time, "name": "n", **fields}


A1, A2, B1 = change("A", "1"), change("A", "2"), change("B", "1")


@pytest.mark.parametrize(
    ("arrived", "said"),
    [
        ([A1, A2, B1], []),
        ([B1, A1, A2], []),
        ([A1, B1], ["A: the change of 2 did not arrive"]),
        ([A1, A2], ["B: the change of 1 did not arrive"]),
        ([A1, A2, A2, B1], ["A: the change of 2 arrived twice"]),
        ([A1, A2, B1, change("B", "0")], ["B: the change of 0 was never made, yet arrived"]),
        ([A1, A2, B1, change("C", "1")], ["C: the change of 1 was never made, yet arrived"]),
        ([A2, A1, B1], ["A: the changes arrived in another order"]),
        ([A2, A1, A2, B1], ["A: the change of 2 arrived twice", "A: the changes arrived in another order"]),
        ([A1, A2, change("B", "1", name="m")], ["B: name of 1 is 'm', not 'n'"]),
        ([A1, A2, {"course": "B", "changed_at": "1"}], ["B: name of 1 is None, not 'n'"]),
    ],
)
def test_each_difference_is_named(arrived: list[Change], said: list[str]) -> None:
    assert list(differences([A1, A2, B1], arrived, "course")) == said


def test_nothing_sent_is_wrong() -> None:
    assert list(differences([], [], "course")) == ["nothing was sent"]


def test_more_columns_than_were_sent_are_no_difference() -> None:
    assert list(differences([A1], [{**A1, "id": 1}], "course")) == []


def test_arrivals_are_read_once_with_the_values_of_json(tmp_path: Path) -> None:
    database = tmp_path / "service.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE history (id integer, hidden bool, at datetime, until datetime)")
        connection.execute("INSERT INTO history VALUES (1, 1, '2026-09-01 00:00:00', NULL)")
        connection.commit()
        arrivals = Arrivals(database, "history")
        assert arrivals.new() == [{"id": 1, "hidden": True, "at": "2026-09-01T00:00:00+00:00", "until": None}]
        assert arrivals.new() == []
        connection.execute("INSERT INTO history VALUES (2, 0, '2026-09-01 08:30:00.000001', NULL)")
        connection.commit()
        assert [one["at"] for one in arrivals.new()] == ["2026-09-01T08:30:00.000001+00:00"]
    assert [str(one["hidden"]) for one in arrivals.all] == ["True", "False"]
