"""What committed offsets carry in their metadata, from an operator's command to the workers."""

from __future__ import annotations

import json

import attrs


@attrs.frozen
class Marks:
    """Of one group on one partition. Metadata of others, such as another client's, is no mark."""

    taken: frozenset[int] = frozenset()
    """Offsets of records that were taken aside as dead letters: workers pass over them."""

    @classmethod
    def read(cls, metadata: str | None) -> Marks:
        """Return the marks in the metadata of a committed offset."""
        try:
            return cls(frozenset(map(int, json.loads(metadata or "")["taken"])))
        except (ValueError, TypeError, KeyError):
            return cls()

    def at(self, position: int) -> str:
        """Return the metadata for a commit at a position: what lies before it has served its purpose."""
        left = sorted(offset for offset in self.taken if offset >= position)
        return json.dumps({"taken": left}, separators=(",", ":")) if left else ""
