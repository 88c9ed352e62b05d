"""
Functions for tables with many rows: delete rows in batches, and find the distinct values of a column without reading
all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from django.db import models

_LEAST, _MOST = 10, 1_000
"""Smallest and largest number of rows in a batch."""
FEW = 4
"""Maximum number of distinct values that :func:`few_distinct` returns."""
_LONG, _SHORT = 0.4, 0.1
"""
Durations of a batch, in seconds. If a batch takes longer than the first duration, the next batch is smaller. If a batch
takes less than the second duration, the next batch is larger.
"""


def delete_in_batches(rows: models.QuerySet[Any], delete: Callable[[list[Any]], int]) -> Iterator[int]:
    """
    Delete rows in the order of ``rows``, in batches, so that locks and transactions are short. Yield the number of
    deleted rows after each batch. After a slow batch, the next batch is smaller.

    ``delete``: deletes the rows with the given ids, and returns the number of deleted rows. If the same ids come twice
    in a row, because ``delete`` has not deleted them, the deletion ends.
    """
    size, before = 10 * _LEAST, None
    while True:
        began = monotonic()
        ids = list(rows.values_list("pk", flat=True)[:size])
        if not ids or ids == before:
            return
        yield delete(ids)
        before, took = ids, monotonic() - began
        if took > _LONG:
            size = max(size // 4, _LEAST)
        elif took < _SHORT:
            size = min(size * 2, _MOST)


def few_distinct(rows: models.QuerySet[Any], name: str) -> list[Any] | None:
    """
    Return the distinct values of a column; None if there are more than :data:`FEW`.

    Sends at most ``FEW + 1`` SQL statements. With an index that begins with the column, each statement is
    fast. For DISTINCT, PostgreSQL would read the whole index.
    """
    found: list[Any] = []
    while len(found) <= FEW:
        beyond = rows.filter(**{f"{name}__gt": found[-1]}) if found else rows
        following = beyond.order_by().aggregate(following=models.Min(name))["following"]
        if following is None:
            return found
        found.append(following)
    return None
