"""Deletes many rows in small batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from django.db import models

_LEAST, _MOST = 10, 1_000
"""Smallest and largest number of rows in a batch."""
_LONG, _SHORT = 0.4, 0.1
"""If a batch took more than the first number of seconds, the next is smaller; if less than the second, larger."""


def delete_in_batches(rows: models.QuerySet[Any], delete: Callable[[list[Any]], int]) -> Iterator[int]:
    """
    Delete rows in their order, in batches, so that locks and transactions are short. Yield the number of deleted rows
    after each batch. A batch takes less than a second unless single rows are slow.

    Stop if the same rows are found again after ``delete``, which returns the number of rows that it deleted.
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
