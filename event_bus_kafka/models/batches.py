"""Deletes many rows in small batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from django.db import models

_LEAST, _MOST = 10, 1_000
"""Smallest and largest number of rows in a batch."""
_LONG, _SHORT = 0.4, 0.1
"""
Seconds. After a batch that took more than the first number, the next batch is smaller. After a batch that took less
than the second number, the next batch is larger.
"""


def delete_in_batches(rows: models.QuerySet[Any], delete: Callable[[list[Any]], int]) -> Iterator[int]:
    """
    Delete rows in the order of ``rows``, in batches, so that locks and transactions are short. Yield the number of
    deleted rows after each batch. A batch takes less than a second unless single rows are slow.

    ``delete``: deletes the rows with the given ids, and returns the number of deleted rows. Stop if the same rows still
    exist after ``delete``.
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
