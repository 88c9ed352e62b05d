"""Discarding many dead letters, from a page: the plan first, then in slices of a few seconds."""

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
    """The letters that a discard would delete. Beyond :data:`COUNTED` letters nothing is counted."""

    count: Count
    receivers: dict[str, int]
    """
    Letters by pending receiver, the most first; the empty name stands for letters of which no receiver was called.
    """
    records: dict[tuple[str, str], int]
    """Letters by group and topic, the most first."""
    until: datetime | None
    """The latest failure among them. A letter that fails later is not deleted: nobody has seen it in this plan."""


@attrs.frozen(kw_only=True)
class Discarded:
    """The result of one slice of a discard."""

    number: int
    left: Count
    receivers: dict[str, int]
    problem: str = ""
    """The reason for which it ended early; letters deleted before stay deleted."""


def plan(selection: Selection) -> DiscardPlan:
    """Look through the letters that are meant, and delete nothing."""
    receivers, records = Counter[str](), Counter[tuple[str, str]]()
    number, until = 0, None
    for letter in page_of(selection, after=None, limit=COUNTED + 1).letters:
        number += 1
        until = until or letter.last_failed_at
        if number <= COUNTED:
            receivers.update(letter.failed_receivers or [""])
            records[letter.group, letter.topic] += 1
    return DiscardPlan(
        count=Count(number=min(number, COUNTED), is_more=number > COUNTED),
        receivers=dict(receivers.most_common()),
        records=dict(records.most_common()),
        until=until,
    )


def discard(selection: Selection, *, seconds: float) -> Discarded:
    """
    Delete the selected letters, in batches, for about ``seconds``; then count the letters that are left.

    A letter that fails meanwhile stays. Raises a database error if nothing was deleted.
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
