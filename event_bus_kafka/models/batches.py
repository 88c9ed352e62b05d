"""Deleting many rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import models

_BATCH = 1_000


def delete_in_batches(rows: models.QuerySet[Any], delete: Callable[[list[Any]], int]) -> int:
    """Delete rows, in their order, some at a time: no long locks, no long transaction. Return how many."""
    count = 0
    while ids := list(rows.values_list("pk", flat=True)[:_BATCH]):
        count += delete(ids)
    return count
