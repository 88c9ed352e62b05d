"""Generates the tables of the guide "Changing an event" from entries that tests verify."""

from __future__ import annotations

from collections.abc import Iterator

from tests.interop.changes import CHANGES, NOTHING
from tests.interop.event_versions import Change, Delivered, Lost, Outcome, Reading, Unreadable, Values

Row = tuple[str, ...]


def orders() -> str:
    """Return the table of changes, with the services to upgrade first, and the registry levels that allow a change."""
    heads = ("Change", "Upgrade", "Beside consumers of edx-event-bus-kafka", "Passes")
    rows = [
        (one.title, one.order, one.order_beside_existing, " and ".join(sorted(one.passes)) or "no level but NONE")
        for one in CHANGES
        if one is not NOTHING
    ]
    return _table([heads, *rows])


def readings() -> str:
    """Return the table of sent events, with the result in each package's consumer."""
    heads = ("Change", "Sent", "This package", "edx-event-bus-kafka")
    return _table([heads, *(row for change in CHANGES for row in _rows_of(change))])


def _rows_of(change: Change) -> Iterator[Row]:
    title = change.title
    for sender, readings in (("old", change.new_reads_old), ("new", change.old_reads_new)):
        for one in readings:
            yield title, f"{sender}: {_values(one.written)}", _said(one.here), _said(one.existing, one)
            title = ""


def _said(outcome: Outcome, reading: Reading | None = None) -> str:
    match outcome:
        case Delivered(values):
            replaced = reading and isinstance(reading.here, Delivered) and reading.here != outcome
            return f"replaced: {_values(values)}" if replaced else _values(values)
        case Unreadable(field, error):
            return f"cannot be read: {error} names ``{field}``"
        case Lost(error):
            return f"lost: {error}"


def _values(values: Values) -> str:
    fields = values["course"] | {name: value for name, value in values.items() if name != "course"}
    return f"``{', '.join(f'{name}={value!r}' for name, value in fields.items())}``"


def _table(rows: list[Row]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for first, *rest in rows:
        lines += [f"   * - {first}", *(f"     - {cell}" for cell in rest)]
    return "\n".join(lines) + "\n"
