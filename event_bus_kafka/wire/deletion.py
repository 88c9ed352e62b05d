"""
Tombstones: records with a key and without a value, which remove the key from a compacted topic.

Receivers get tombstones through a signal of this package, like any other event.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.dispatch import Signal


class _RecordDeleted(Signal):
    event_type: ClassVar = "record_deleted"
    """The name in retry policies, dead letters and logs; no event type of openedx-events looks like this."""
    _allow_events: ClassVar = True
    """Whether openedx-events lets the signal send events. Always True: openedx-events cannot disable this signal."""
    init_data: ClassVar[dict[str, Any]] = {"topic": str, "key": object}


record_deleted = _RecordDeleted()
"""
Sent by workers for each tombstone, whatever event type its topic contains, with the arguments

- ``topic``: without prefix;
- ``key``: the tombstone's key, decoded with its writer's schema: a text (also for course keys and UUIDs) or number;
- ``metadata``: the tombstone's metadata. Its ``event_type`` is the type that the sender named; empty if another
  kind of producer wrote no CloudEvents headers.
"""
