"""Marks in the metadata of committed offsets, by which an operator's command instructs workers."""

from __future__ import annotations

import json
from typing import Any

import attrs

_MOST = 4096
"""Kafka's ``offset.metadata.max.bytes``: more is refused, and the commit with it."""
_LONGEST_TIME = 10**15
_OURS = "event-bus-kafka "
"""The beginning of this package's metadata, which no other client's has."""


@attrs.frozen
class OffsetMetadata:
    """The marks of one group on one partition. Foreign metadata, such as another client's, is no mark."""

    taken: frozenset[int] = frozenset()
    """Offsets of quarantined records: workers pass over them."""
    offset_time: int | None = None
    """
    The offset time (milliseconds since the epoch) at which the group began: workers do not apply it a second time.
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
        Return the metadata for a commit at ``position``. Marks below it are dropped, as they have served their purpose.
        """
        found: dict[str, Any] = {}
        if left := sorted(offset for offset in self.taken if offset >= position):
            found["taken"] = left
        if self.offset_time is not None:
            found["offset_time"] = self.offset_time
        return _OURS + json.dumps(found, separators=(",", ":")) if found else ""

    @property
    def fit(self) -> bool:
        """Whether Kafka takes them, and would with any offset time."""
        return len(attrs.evolve(self, offset_time=_LONGEST_TIME).at(0)) <= _MOST
