"""
Tombstones: records with a key and without a value, which remove the key from a compacted topic.

Receivers get them through a signal of this package: for them a deletion is an event like any other.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.dispatch import Signal


class _RecordDeleted(Signal):
    event_type: ClassVar = "record_deleted"
    """The name in retry policies, dead letters and logs; no event type of openedx-events looks like this."""
    _allow_events: ClassVar = True
    """Nobody can disable it."""
    init_data: ClassVar[dict[str, Any]] = {"topic": str, "key": object}


record_deleted = _RecordDeleted()
"""
Sent by workers for each tombstone, whatever event type its topic has, with the arguments

- ``topic``: without prefix;
- ``key``: as its writer's schema has it: a text (of course keys and UUIDs too) or a number;
- ``metadata``: the tombstone's. Its ``event_type`` is the type that the sender named, empty where a producer of
  another kind wrote no headers of an event.
"""
