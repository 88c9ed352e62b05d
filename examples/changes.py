"""Changes that a service has made and another has heard of: reading and comparing them."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

Change = dict[str, Any]

_AS_IN_JSON: dict[str, Callable[[Any], Any]] = {
    "bool": bool,
    "datetime": lambda text: f"{text.replace(' ', 'T')}+00:00",
}
"""Values of a database in the form that they have in a line of JSON, by the type of their column."""


class Arrivals:
    """What has arrived in a table since it was looked at first."""

    def __init__(self, database: Path, table: str) -> None:
        self.all: list[Change] = []
        self._database = database
        self._table = table
        self._last = 0

    def new(self) -> list[Change]:
        """Return what was not there at the last look."""
        with closing(sqlite3.connect(self._database)) as connection:
            columns = connection.execute(f"SELECT name, type FROM pragma_table_info('{self._table}')").fetchall()
            rows = connection.execute(f"SELECT * FROM {self._table} WHERE id > ? ORDER BY id", [self._last])
            changes = [_change(columns, row) for row in rows]
        self._last = changes[-1]["id"] if changes else self._last
        self.all += changes
        return changes


def differences(sent: Sequence[Change], arrived: Sequence[Change], key: str) -> Iterator[str]:
    """Say what is wrong with what arrived. A change is known by its key and its time; order is promised per key."""
    if not sent:
        yield "nothing was sent"
    sent_by_key, arrived_by_key = _by_key(sent, key), _by_key(arrived, key)
    for name in sent_by_key | arrived_by_key:
        for difference in _differences_of_one_key(sent_by_key.get(name, []), arrived_by_key.get(name, [])):
            yield f"{name}: {difference}"


def _change(columns: list[tuple[str, str]], row: Sequence[Any]) -> Change:
    return {
        name: _AS_IN_JSON[kind](value) if kind in _AS_IN_JSON and value is not None else value
        for (name, kind), value in zip(columns, row, strict=True)
    }


def _differences_of_one_key(sent: list[Change], arrived: list[Change]) -> Iterator[str]:
    expected, came = _times(sent), _times(arrived)
    for time in (Counter(expected) - Counter(came)).elements():
        yield f"the change of {time} did not arrive"
    for time in (Counter(came) - Counter(expected)).elements():
        yield f"the change of {time} {'arrived twice' if time in expected else 'was never made, yet arrived'}"
    if [time for time in expected if time in came] != [time for time in dict.fromkeys(came) if time in expected]:
        yield "the changes arrived in another order"
    changes = {change["changed_at"]: change for change in sent}
    for heard in arrived:
        for field, value in changes.get(heard["changed_at"], {}).items():
            if field not in heard or heard[field] != value:
                yield f"{field} of {heard['changed_at']} is {heard.get(field)!r}, not {value!r}"


def _times(changes: list[Change]) -> list[str]:
    return [change["changed_at"] for change in changes]


def _by_key(changes: Sequence[Change], key: str) -> dict[str, list[Change]]:
    groups = defaultdict(list)
    for change in changes:
        groups[change[key]].append(change)
    return dict(groups)
