"""Formats dead letters as text and JSON. Only :func:`unmasked` returns event data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from event_bus_kafka.dead_letters.letter import Failure
from event_bus_kafka.dead_letters.pending import of_row, to_json
from event_bus_kafka.models import DeadLetter, DeadLetterEntry
from event_bus_kafka.operations import masking
from event_bus_kafka.shown import shown, shown_time
from event_bus_kafka.wire import serde

_SETTLED = ("RECORD", "GROUP", "EVENT TYPE", "EVENT ID", "CHANGED", "RECEIVER")
_COLUMNS = ("ID", "RECORD", "GROUP", "EVENT TYPE", "ATTEMPTS", "FIRST FAILED", "LAST FAILED")


def table(letters: Iterable[DeadLetter]) -> str:
    """
    Return a table with a line for each dead letter and, below it, a line for each pending receiver with its error.
    """
    rows = [(_cells(letter), of_row(letter).values()) for letter in letters]
    widths = _widths(_COLUMNS, [cells for cells, _ in rows])
    lines = [_line(_COLUMNS, widths)]
    for cells, failures in rows:
        lines.append(_line(cells, widths))
        lines += [" " * (widths[0] + 2) + failure_text(failure) for failure in failures]
    return "\n".join(lines)


def settled_table(entries: Iterable[DeadLetterEntry]) -> str:
    """
    Return a table with a line for each of ``entries``, whose receivers are no longer pending. The line names the
    record, the receiver and its state.
    """
    rows = [_settled_cells(entry) for entry in entries]
    widths = _widths(_SETTLED, rows)
    return "\n".join(_line(cells, widths) for cells in (_SETTLED, *rows))


def settled_json(entry: DeadLetterEntry) -> dict[str, Any]:
    """Return an entry as JSON values, with the coordinates of its record."""
    return {
        "receiver": entry.receiver,
        "state": entry.state,
        "stand_in": entry.stand_in,
        "attempts": entry.attempts,
        "error": entry.error,
        "group": entry.group,
        "topic": entry.topic,
        "partition": entry.partition,
        "offset": entry.offset,
        "event_type": entry.event_type,
        "event_id": entry.event_id,
        "changed_at": _changed(entry).isoformat(),
    }


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """Return all fields of a letter except key, value and headers, as JSON values."""
    return {
        "id": letter.pk,
        "group": letter.group,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp,
        "event_type": letter.event_type,
        "event_id": letter.event_id,
        "failures": to_json(of_row(letter)),
        "attempts": letter.attempts,
        "first_failed_at": letter.first_failed_at.isoformat(),
        "last_failed_at": letter.last_failed_at.isoformat(),
        "left_out": letter.marks,
    }


def in_full(letter: DeadLetter, settled: Iterable[DeadLetterEntry]) -> dict[str, Any]:
    """
    Return a letter as JSON values, with the sizes of key and value in place of their contents. ``settled``: entries of
    the letter's receivers that are no longer pending.
    """
    record = letter.record
    return as_json(letter) | {
        "settled": [settled_json(entry) for entry in settled],
        "headers": [[name, masking.header(name, value)] for name, value in record.headers],
        "key_bytes": None if record.key is None else len(record.key),
        "value_bytes": None if record.value is None else len(record.value),
    }


def unmasked(letter: DeadLetter, registry: serde.SchemaIds) -> dict[str, Any]:
    """
    Return the key and the event data, decoded by their writer's schemas. In place of a part that cannot be decoded,
    return the error and the first bytes.
    """
    record = letter.record
    return {"key": masking.decoded(record.key, registry), "data": masking.decoded(record.value, registry)}


def text(description: dict[str, Any]) -> str:
    """Format the result of :func:`in_full` as text for people, without key and event data."""
    place = f"{shown(description['topic'])}:{description['partition']}:{description['offset']}"
    written = description["timestamp"]
    lines = [
        f"Dead letter {description['id']}",
        f"  record         {place}, {_size(description['key_bytes'])} key, {_size(description['value_bytes'])} value",
        f"  written        {_written(written)}",
        f"  group          {shown(description['group'])}",
        f"  event type     {shown(description['event_type']) or 'unknown'}",
        f"  event id       {shown(description['event_id']) or 'unknown'}",
        f"  attempts       {description['attempts']}",
        f"  first failed   {_time(datetime.fromisoformat(description['first_failed_at']))}",
        f"  last failed    {_time(datetime.fromisoformat(description['last_failed_at']))}",
        "  failures",
        *(f"    {_attempts(failure)}{_place(failure)}" for failure in description["failures"]),
        *(f"    {shown(_outcome(entry))}" for entry in description["settled"]),
        *(f"  left out       {shown(_left_out(part, mark))}" for part, mark in description["left_out"].items()),
        "  headers",
        *(f"    {shown(name)}: {shown(str(value))}" for name, value in description["headers"]),
    ]
    return "\n".join(lines)


def coordinates(letter: DeadLetter) -> str:
    """Return the id of a letter and the coordinates of its record, as text."""
    return f"{letter.pk}  {shown(letter.topic)}:{letter.partition}:{letter.offset}"


def failure_text(failure: Failure) -> str:
    """Return a line with a receiver, the receiver's error and, for a stand-in, the receiver that it replaces."""
    error = failure.error or "no reason is known"
    text = f"{failure.receiver}: {error}" if failure.receiver else error
    return shown(f"{text}; in place of {failure.instead_of}" if failure.instead_of else text)


def _cells(letter: DeadLetter) -> tuple[str, ...]:
    return (
        str(letter.pk),
        f"{shown(letter.topic)}:{letter.partition}:{letter.offset}",
        shown(letter.group),
        shown(letter.event_type) or "unknown",
        str(letter.attempts),
        _time(letter.first_failed_at),
        _time(letter.last_failed_at),
    )


def _settled_cells(entry: DeadLetterEntry) -> tuple[str, ...]:
    return (
        f"{shown(entry.topic)}:{entry.partition}:{entry.offset}",
        shown(entry.group),
        shown(entry.event_type) or "unknown",
        shown(entry.event_id) or "unknown",
        _time(_changed(entry)),
        shown(_outcome(settled_json(entry))),
    )


def _outcome(entry: dict[str, Any]) -> str:
    by = f" by {entry['stand_in']}" if entry["stand_in"] else ""
    return f"{entry['receiver'] or 'reading'}: {entry['state']}{by}"


def _changed(entry: DeadLetterEntry) -> datetime:
    return datetime.fromtimestamp(entry.changed_at / 1000, UTC)


def _attempts(failure: dict[str, Any]) -> str:
    return f"{failure_text(Failure(**failure))} ({failure['attempts']} attempts)"


def _left_out(part: str, mark: dict[str, Any]) -> str:
    return f"{part}, {mark['size']} bytes, SHA-256 {mark['sha256']}: a replay reads it from Kafka"


def _widths(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(columns, *rows, strict=True)]


def _line(cells: Sequence[str], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _place(failure: dict[str, str]) -> str:
    return f"\n      {shown(failure['place'])}" if failure.get("place") else ""


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _written(milliseconds: int | None) -> str:
    if not milliseconds:
        return "unknown"
    return shown_time(milliseconds, "seconds").replace("T", " ").replace("+00:00", "Z")


def _size(count: int | None) -> str:
    return "no" if count is None else f"{count} bytes of"
