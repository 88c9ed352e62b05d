"""Deleting many rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import models

_BATCH = 1_000


def delete_in_batches(rows: models.QuerySet[Any], delete: Callable[[list[Any]], int]) -> int:
    """
    Delete rows, in their order, some at a time: no long locks, no long transaction. Return how many. Rows that are
    there still when they were deleted end it.
    """
    count, before = 0, None
    while (ids := list(rows.values_list("pk", flat=True)[:_BATCH])) and ids != before:
        count += delete(ids)
        before = ids
    return count
