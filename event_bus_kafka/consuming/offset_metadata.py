"""
Reads and writes marks in the metadata of committed offsets. A mark tells workers to skip a record, or that an
``offset_time`` was applied already.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

_MOST = 4096
"""
Maximum length of the metadata: the default of the broker's ``offset.metadata.max.bytes``. A broker refuses a commit
with longer metadata.
"""
_LONGEST_TIME = 10**15
_OURS = "event-bus-kafka "
"""Prefix of this package's metadata; other clients' metadata does not begin with it."""


@attrs.frozen
class OffsetMetadata:
    """The marks of one group for one partition. Metadata that another client wrote contains no marks."""

    taken: frozenset[int] = frozenset()
    """Offsets of quarantined records; workers skip these records."""
    offset_time: int | None = None
    """
    The ``offset_time`` (milliseconds since the epoch) that a worker applied last to this partition; None: no worker has
    applied one. Workers do not apply the same value again.
    """

    @classmethod
    def read(cls, metadata: str | None) -> OffsetMetadata:
        """Return the marks in the metadata of a committed offset."""
        text = metadata or ""
        if not text.startswith(_OURS):
            return cls()
        try:
            found = json.loads(text.removeprefix(_OURS))
            time = found.get("offset_time")
            return cls(frozenset(map(int, found.get("taken", ()))), None if time is None else int(time))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls()

    def at(self, position: int) -> str:
        """
        Return the metadata for a commit at ``position``. Marks of records below ``position`` are omitted, because no
        worker reads these records again.
        """
        found: dict[str, Any] = {}
        if left := sorted(offset for offset in self.taken if offset >= position):
            found["taken"] = left
        if self.offset_time is not None:
            found["offset_time"] = self.offset_time
        return _OURS + json.dumps(found, separators=(",", ":")) if found else ""

    @property
    def fit(self) -> bool:
        """Whether Kafka accepts metadata with these marks, even with the longest possible offset time."""
        return len(attrs.evolve(self, offset_time=_LONGEST_TIME).at(0)) <= _MOST
