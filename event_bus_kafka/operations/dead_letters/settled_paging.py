"""Lists the entries of receivers that are no longer pending, page by page, latest change first."""

from __future__ import annotations

from uuid import UUID

import attrs

from event_bus_kafka.models import DeadLetterEntry, EntryState
from event_bus_kafka.operations.dead_letters.selection import Selection


@attrs.frozen(kw_only=True)
class SettledPosition:
    """The place of an entry in the list, which is sorted by time of change and id."""

    changed_at: int
    """Time of the last change, in milliseconds since the epoch."""
    id: UUID

    @classmethod
    def parse(cls, text: str) -> SettledPosition:
        """Parse the text of :meth:`__str__`. Raises ValueError."""
        changed_at, _, number = text.partition("_")
        if not changed_at.isdecimal() or int(changed_at) >= 1 << 63:
            raise ValueError(text)
        return cls(changed_at=int(changed_at), id=UUID(number))

    def __str__(self) -> str:
        return f"{self.changed_at}_{self.id}"


@attrs.frozen(kw_only=True)
class SettledPage:
    entries: list[DeadLetterEntry]
    following: SettledPosition | None
    """The value of ``after`` for which :func:`settled_page_of` returns the next page; None: this is the last page."""


def settled_page_of(
    selection: Selection, state: EntryState | None, *, after: SettledPosition | None, limit: int
) -> SettledPage:
    """
    Return at most ``limit`` selected entries. ``state``: only entries in this state; None: in any state except
    ``failed``. ``after``: position after which the page begins; None: the first page.
    """
    entries = selection.settled()
    if state:
        entries = entries.filter(state=state)
    if after:
        entries = entries.beyond(after.changed_at, after.id)
    found = list(entries[: limit + 1])
    last = found[limit - 1] if len(found) > limit else None
    following = SettledPosition(changed_at=last.changed_at, id=last.pk) if last else None
    return SettledPage(entries=found[:limit], following=following)
