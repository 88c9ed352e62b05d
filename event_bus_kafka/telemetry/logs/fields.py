"""The fields that a line has besides its text, as ``extra`` of :mod:`logging`: for formatters that write JSON."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import attrs

from event_bus_kafka.errors import ReceiversFailed
from event_bus_kafka.shown import label
from event_bus_kafka.telemetry.events import LifecycleEvent

PREFIX = "event_bus_"
"""
Prefix of all fields: log records have many attributes of their own, and ``logging`` raises if a name is given twice.
"""
FIELDS = {
    "event_id": "the event's id, ``ce_id`` of its record",
    "event_type": "the event's type",
    "topic": "full name of the topic",
    "partition": "number of the partition",
    "offset": "offset of the record",
    "group": "consumer group; of a worker, in all of its lines",
    "receiver": "the receiver, or those that failed, separated by commas",
}
"""Names without the prefix, in the order of the documentation."""
of_process: dict[str, object] = {}
"""Fields that all lines of this process have."""

Fields = dict[str, object]
_COORDINATES = re.compile(r"(.*):(\d+):(\d+)")


def name_group(group: str) -> None:
    """Have all lines of this process, a worker, name its consumer group."""
    of_process[f"{PREFIX}group"] = label(group)


def fields(event: LifecycleEvent, *left_out: str) -> Fields:
    """
    Return the fields of an event's log line: the process's and the event's own, except ``left_out`` (names without the
    prefix). Texts are escaped and cut as in the line.
    """
    found = dict(of_process)
    kind: Any = type(event)
    for name in _names(kind):
        if name not in left_out:
            _add(found, name, getattr(event, name))
    if isinstance(error := getattr(event, "error", None), ReceiversFailed):
        _add(found, "receiver", ", ".join(error.receivers))
    if coordinates := _COORDINATES.fullmatch(getattr(event, "record", "")):
        _add(found, "topic", coordinates[1])
        _add(found, "partition", int(coordinates[2]))
        _add(found, "offset", int(coordinates[3]))
    return found


def _add(found: Fields, name: str, value: object) -> None:
    if value != "":
        found[PREFIX + name] = label(value) if isinstance(value, str) else value


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(name for name in attrs.fields_dict(kind) if name in FIELDS)
