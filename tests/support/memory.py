"""Measures the memory that a function needs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable


def peak_of(call: Callable[[], object]) -> int:
    """
    Return the peak memory of a call in bytes. Other threads can only increase the measured memory, so the result is the
    minimum of three runs.
    """
    return min(_once(call)[1] for _ in range(3))


def kept_of(call: Callable[[], object]) -> int:
    """Return the memory in bytes that the result of a call occupies. The result is the minimum of three runs."""
    return min(_once(call)[0] for _ in range(3))


def _once(call: Callable[[], object]) -> tuple[int, int]:
    tracemalloc.start()
    try:
        result = call()
        kept, peak = tracemalloc.get_traced_memory()
        del result
        return kept, peak
    finally:
        tracemalloc.stop()
