"""Reads the numbers of sent and received events, which processes have written into the table of history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
from django.db import router
from django.db.models import F, Max, Sum
from django.db.models.functions import Mod

from event_bus_kafka.models import HistoryRow
from event_bus_kafka.models.history import SPANS, Sums

BY = ("service", "event_type", "receiver", "outcome")


@attrs.frozen(kw_only=True, order=True)
class Period:
    """
    The time in which a row of the history counts events: a minute, a quarter of an hour, or an hour. Minutes that are
    two hours old are merged into quarters of an hour; these are merged into hours when they are a day old.
    """

    begins: datetime
    seconds: int


def history(since: datetime, by: Sequence[str] = BY) -> Mapping[tuple[Period, tuple[str, ...]], Sums]:
    """
    Return (period, values of the fields ``by``) → :class:`Sums` of the period's rows with these values, earliest period
    first. ``by``: any fields in :data:`BY`. Periods that began before ``since`` are left out. Raises a database error,
    also if the table is missing.

    Rows with an empty receiver count events. Rows with a receiver count calls of this receiver. Therefore ``by`` must
    contain ``receiver``, or events and calls are added up.
    """
    rows = HistoryRow.objects.using(router.db_for_write(HistoryRow)).filter(begins__gte=since.timestamp() * 1000)
    found: defaultdict[tuple[Period, tuple[str, ...]], list[Sums]] = defaultdict(list)
    for row in rows.order_by("begins", "span", "pk"):
        period = Period(begins=datetime.fromtimestamp(row.begins / 1000, UTC), seconds=row.span)
        found[period, tuple(getattr(row, name) for name in by)].append(row.sums)
    return {name: Sums.total(sums) for name, sums in found.items()}


def summed(
    since: datetime,
    step: int,
    by: Sequence[str],
    *,
    of_receivers: bool = False,
    event_type: str = "",
    outcomes: Sequence[str] = (),
) -> Mapping[tuple[Any, ...], Sums]:
    """
    Return the numbers and durations of events since a time, added up by the database. Each key of the result is a
    tuple: the start of a slot in milliseconds since the epoch, then the values of the fields ``by``. A slot has
    ``step`` seconds. A row whose period is longer than a slot counts in the slot in which the period begins. ``by``:
    any fields in :data:`BY`. Raises a database error, also if the table is missing.

    ``of_receivers``: add up calls of receivers instead of events. ``event_type``, ``outcomes``: include only this type
    and these outcomes; empty: include all.
    """
    length = step * 1000
    rows = HistoryRow.objects.using(router.db_for_write(HistoryRow)).filter(
        span__in=SPANS, begins__gte=int(since.timestamp() * 1000)
    )
    rows = rows.exclude(receiver="") if of_receivers else rows.filter(receiver="")
    rows = rows.filter(event_type=event_type) if event_type else rows
    rows = rows.filter(outcome__in=outcomes) if outcomes else rows
    slots = rows.annotate(slot=F("begins") - Mod("begins", length)).values_list("slot", *by).order_by()
    found = slots.annotate(Sum("count"), Sum("seconds"), Max("longest"))
    return {
        tuple(names): Sums(count=int(count), seconds=seconds, longest=longest)
        for *names, count, seconds, longest in found
    }
