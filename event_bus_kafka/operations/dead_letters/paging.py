"""
Lists dead letters page by page, latest failure first. Reading the last page takes no longer than reading the first.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from event_bus_kafka.models import DeadLetter, DeadLetterQuerySet
from event_bus_kafka.operations.dead_letters.selection import Selection

COUNTED = 10_000
"""Maximum number of letters that are counted, because counting all rows of a long table takes too long."""
_RECENT = 500
"""Maximum number of letters, latest first, that :func:`recent_names` reads."""


@attrs.frozen(kw_only=True)
class Position:
    """The place of a letter in the list, which is sorted by time of failure and id."""

    failed_at: datetime
    id: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """Parse the text of :meth:`__str__`. Raises ValueError."""
        failed_at, _, number = text.partition("_")
        moment = datetime.fromisoformat(failed_at)
        if moment.tzinfo is None or not number.isdecimal() or int(number) >= 1 << 63:
            raise ValueError(text)
        return cls(failed_at=moment, id=int(number))

    def __str__(self) -> str:
        return f"{self.failed_at.isoformat()}_{self.id}"


@attrs.frozen(kw_only=True)
class LetterPage:
    """A page of letters, which were read without key, value and headers."""

    letters: list[DeadLetter]
    following: Position | None
    """The value of ``after`` for which :func:`page_of` returns the next page; None: this is the last page."""


@attrs.frozen(kw_only=True)
class Count:
    """A number of letters. ``is_more``: there are more letters, which were not counted."""

    number: int
    is_more: bool

    def __str__(self) -> str:
        return f"{self.number:,}{'+' * self.is_more}"


def page_of(selection: Selection, *, after: Position | None, limit: int) -> LetterPage:
    """
    Return at most ``limit`` selected letters that come after the position ``after``; None: the first letters. A page
    with fewer than ``limit`` letters need not be the last, because :meth:`Selection.holds` removes letters after they
    were read.
    """
    return _page(selection, _positions(selection, after, limit + 1), limit)


def counted_page_of(selection: Selection, *, after: Position | None, limit: int) -> tuple[LetterPage, Count]:
    """
    Return the results of :func:`page_of` and :func:`count`. If there is only one page, the count is the length of this
    page. A search by key has to scan all rows; for the first page, one scan yields both results.
    """
    looks_at_all = bool(selection.key) and after is None
    positions = _positions(selection, after, COUNTED + 1 if looks_at_all else limit + 1)
    page = _page(selection, positions, limit)
    if after is None and page.following is None:
        return page, Count(number=len(page.letters), is_more=False)
    if looks_at_all:
        return page, Count(number=min(len(positions), COUNTED), is_more=len(positions) > COUNTED)
    return page, count(selection)


def count(selection: Selection, *, after: Position | None = None) -> Count:
    """
    Count the letters of :meth:`Selection.candidates`, which may differ from the selected letters. Count at most
    :data:`COUNTED`, and only letters after the position ``after`` if it is given.
    """
    rows = selection.candidates()
    if after:
        rows = rows.beyond(after.failed_at, after.id)
    number = rows.order_by()[: COUNTED + 1].count()
    return Count(number=min(number, COUNTED), is_more=number > COUNTED)


def recent_names() -> dict[str, list[str]]:
    """
    Return kind of name → sorted names that occur in the latest letters. An admin page offers the names as filters. The
    kinds are ``group``, ``topic``, ``event_type`` and ``receiver``.
    """
    recent = DeadLetter.objects.latest_first().values_list("group", "topic", "event_type", "failures")[:_RECENT]
    found: dict[str, set[str]] = {"group": set(), "topic": set(), "event_type": set(), "receiver": set()}
    for group, topic, event_type, failures in recent:
        found["group"].add(group)
        found["topic"].add(topic)
        found["event_type"].add(event_type)
        found["receiver"].update(failure["receiver"] for failure in failures)
    return {kind: sorted(filter(None, names)) for kind, names in found.items()}


def _positions(selection: Selection, after: Position | None, most: int) -> list[tuple[datetime, int]]:
    rows = selection.candidates()
    if after:
        rows = rows.beyond(after.failed_at, after.id)
    # A search by key reads each row, which is faster in the order of the table than in that of the index.
    ordered = rows.latest_first(sorts=bool(selection.key))
    # The database may sort the rows in memory, so it gets only short columns.
    return list(ordered.values_list("last_failed_at", "pk")[:most])


def _page(selection: Selection, positions: list[tuple[datetime, int]], limit: int) -> LetterPage:
    found = _with_failures([pk for _, pk in positions[:limit]])
    is_last = len(positions) <= limit
    following = None if is_last else Position(failed_at=positions[limit - 1][0], id=positions[limit - 1][1])
    return LetterPage(letters=[letter for letter in found if selection.holds(letter)], following=following)


def _with_failures(ids: list[int]) -> DeadLetterQuerySet:
    return DeadLetter.objects.filter(pk__in=ids).defer("key", "value", "headers", "left_out").latest_first()
