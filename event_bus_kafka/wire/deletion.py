"""
Tombstones: records with a key and without a value, which remove the key from a compacted topic.

Receivers get tombstones through a signal of this package, like any other event.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.dispatch import Signal


class _RecordDeleted(Signal):
    event_type: ClassVar = "record_deleted"
    """
    The signal's event type in retry policies, dead letters and logs. No event type of openedx-events has this form.
    """
    _allow_events: ClassVar = True
    """Whether openedx-events lets the signal send events. Always True: openedx-events cannot disable this signal."""
    init_data: ClassVar[dict[str, Any]] = {"topic": str, "key": object}


record_deleted = _RecordDeleted()
"""
The signal that workers send for each tombstone with a key, whatever event type its topic contains. Its arguments are

- ``topic``: name without prefix;
- ``key``: the tombstone's key, decoded with its writer's schema: a text (also for course keys and UUIDs) or number;
- ``metadata``: the tombstone's metadata. Its ``event_type`` is the type that the sender named. The type is empty if
  another kind of producer wrote no CloudEvents headers.
"""
