"""How many bytes of memory a call takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable


def peak_of(call: Callable[[], object]) -> int:
    """Return the most memory that a call took at a time. Other threads only add to it: the least of three counts."""
    return min(_once(call)[1] for _ in range(3))


def kept_of(call: Callable[[], object]) -> int:
    """Return the memory that a call's result takes, likewise."""
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
