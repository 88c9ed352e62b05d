"""Reads the numbers of sent and received events, which a service's processes have counted in the database."""

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
from event_bus_kafka.models.history import HOUR, MINUTE, Sums

BY = ("service", "event_type", "receiver", "outcome")


@attrs.frozen(kw_only=True, order=True)
class Period:
    """The time covered by a count: a minute or, for counts older than a day, an hour."""

    begins: datetime
    seconds: int


def history(since: datetime, by: Sequence[str] = BY) -> Mapping[tuple[Period, tuple[str, ...]], Sums]:
    """
    Return the sums for each period that began at ``since`` or later and each combination of values of the fields ``by``
    (any of :data:`BY`), in the order of time. Raises a database error, also if the table is missing.

    Sums of whole events have an empty receiver; calls of receivers have sums of their own. Do not add the two kinds up.
    """
    rows = HistoryRow.objects.using(router.db_for_write(HistoryRow)).filter(begins__gte=since.timestamp() * 1000)
    found: defaultdict[tuple[Period, tuple[str, ...]], list[Sums]] = defaultdict(list)
    for row in rows.order_by("begins", "span", "pk"):
        period = Period(begins=datetime.fromtimestamp(row.begins / 1000, UTC), seconds=row.span)
        found[period, tuple(getattr(row, name) for name in by)].append(row.sums)
    return {name: Sums.total(sums) for name, sums in found.items()}


def summed(
    since: datetime, step: int, by: Sequence[str], *, of_receivers: bool = False, event_type: str = ""
) -> Mapping[tuple[Any, ...], Sums]:
    """
    Return sums of counts since a time, by slots of ``step`` seconds and by the fields ``by`` (any of :data:`BY`). A key
    is the beginning of the slot (milliseconds since the epoch), followed by the values of the fields. Raises a database
    error, also if the table is missing.

    ``of_receivers``: sum the calls of receivers instead of whole events. ``event_type``: only this type; empty: all.
    A count of a whole hour belongs to the slot in which the hour began.
    """
    length = step * 1000
    rows = HistoryRow.objects.using(router.db_for_write(HistoryRow)).filter(
        span__in=(MINUTE, HOUR), begins__gte=int(since.timestamp() * 1000)
    )
    rows = rows.exclude(receiver="") if of_receivers else rows.filter(receiver="")
    rows = rows.filter(event_type=event_type) if event_type else rows
    slots = rows.annotate(slot=F("begins") - Mod("begins", length)).values_list("slot", *by).order_by()
    found = slots.annotate(Sum("count"), Sum("seconds"), Max("longest"))
    return {
        tuple(names): Sums(count=int(count), seconds=seconds, longest=longest)
        for *names, count, seconds, longest in found
    }
