"""
The fields that log records have in addition to their text, as ``extra`` of :mod:`logging`. Formatters that write JSON
use them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import attrs

from event_bus_kafka.errors import ReceiversFailed
from event_bus_kafka.shown import label
from event_bus_kafka.telemetry.events import LifecycleEvent

PREFIX = "event_bus_"
"""Prefix of all fields. ``logging`` raises if ``extra`` contains a name that log records already have."""
FIELDS = {
    "event_id": "the event's id, ``ce_id`` of its record",
    "event_type": "the event's type",
    "topic": "full name of the topic",
    "partition": "number of the partition",
    "offset": "offset of the record",
    "group": "consumer group; of a worker, in all of its lines",
    "receiver": "the receiver, or those that failed, separated by commas",
}
"""
The names of the fields, without the prefix, with their descriptions. The documentation lists the fields in this order.
"""
of_process: dict[str, object] = {}
"""The fields that all log records of this package have in this process."""

Fields = dict[str, object]
_COORDINATES = re.compile(r"(.*):(\d+):(\d+)")


def name_group(group: str) -> None:
    """Add the consumer group to all log records of this package in this process. Only workers call this function."""
    of_process[f"{PREFIX}group"] = label(group)


def fields(event: LifecycleEvent, *left_out: str) -> Fields:
    """
    Return the fields for an event's log record: the fields of the process and the fields of the event. The fields in
    ``left_out`` (names without the prefix) are omitted. Texts are made safe as in the log line.
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
