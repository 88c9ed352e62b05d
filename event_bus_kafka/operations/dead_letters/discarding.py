"""
Discards dead letters for an admin page. Each call deletes letters for a limited time, so that no HTTP request takes
long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from time import monotonic

import attrs
from django.db import Error

from event_bus_kafka.dead_letters import table_store
from event_bus_kafka.models import EntryState
from event_bus_kafka.operations.dead_letters.paging import COUNTED, Count, LetterPage, Position, count, page_of
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.telemetry.error_text import database_error_text

_BATCH = 500


@attrs.frozen(kw_only=True)
class DiscardPlan:
    """The letters that a discard would delete. All numbers refer to the first :data:`COUNTED` letters."""

    count: Count
    receivers: dict[str, int]
    """
    Pending receiver → number of letters, largest number first. The empty name stands for letters for which no receiver
    was called.
    """
    records: dict[tuple[str, str], int]
    """(group, topic) → number of letters, largest number first."""
    ids: frozenset[int]
    """Ids of the letters."""
    until: datetime | None
    """
    Time of the latest failure among the planned letters; None: no letter is selected. If the discard passes this time
    as :attr:`Selection.failed_until`, it keeps letters that fail after the plan was made.
    """


@attrs.frozen(kw_only=True)
class Discarded:
    """
    The result of one call of :func:`discard`. ``number``: number of deleted letters. ``left``: number of remaining
    letters. ``receivers``: pending receiver → number of its letters in the deleted batches.
    """

    number: int
    left: Count
    receivers: dict[str, int]
    problem: str = ""
    """
    The database error that ended the call; empty: no error occurred. Letters deleted before the error stay deleted, and
    ``left`` is unknown.
    """


def plan(selection: Selection) -> DiscardPlan:
    """Plan to discard the selected letters. Deletes nothing."""
    receivers, records = Counter[str](), Counter[tuple[str, str]]()
    number, until, ids = 0, None, set[int]()
    for letter in page_of(selection, after=None, limit=COUNTED + 1).letters:
        number += 1
        until = until or letter.last_failed_at
        if number <= COUNTED:
            receivers.update(letter.failed_receivers or [""])
            records[letter.group, letter.topic] += 1
            ids.add(letter.pk)
    return DiscardPlan(
        count=Count(number=min(number, COUNTED), is_more=number > COUNTED),
        receivers=dict(receivers.most_common()),
        records=dict(records.most_common()),
        ids=frozenset(ids),
        until=until,
    )


def discard(selection: Selection, *, seconds: float) -> Discarded:
    """
    Delete selected letters in batches, until all are deleted or about ``seconds`` are over.

    A letter that fails again during the call is not deleted. A database error before the first deletion is raised; a
    later one is returned in :attr:`Discarded.problem`.
    """
    end = monotonic() + seconds
    number, receivers = 0, Counter[str]()
    try:
        for page in _pages(selection):
            number += table_store.remove({one.pk: one.last_failed_at for one in page.letters}, EntryState.DISCARDED)
            for letter in page.letters:
                receivers.update(letter.failed_receivers or [""])
            if monotonic() > end and page.following:
                return Discarded(number=number, left=count(selection, after=page.following), receivers=dict(receivers))
    except Error as error:
        if not number:
            raise
        problem, left = database_error_text(error), Count(number=0, is_more=True)
        return Discarded(number=number, left=left, receivers=dict(receivers), problem=problem)
    return Discarded(number=number, left=Count(number=0, is_more=False), receivers=dict(receivers))


def _pages(selection: Selection) -> Iterator[LetterPage]:
    after: Position | None = None
    while True:
        page = page_of(selection, after=after, limit=_BATCH)
        yield page
        after = page.following
        if after is None:
            return
