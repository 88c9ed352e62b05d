"""Many, some at a time: few where they are large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def in_chunks(items: Iterable[T], size: Callable[[T], int], *, most: int, most_bytes: int) -> Iterator[list[T]]:
    """Return items in order, up to so many and so many bytes at a time; one alone may be larger than that."""
    portion: list[T] = []
    total = 0
    for item in items:
        length = size(item)
        if portion and (len(portion) == most or total + length > most_bytes):
            yield portion
            portion, total = [], 0
        portion.append(item)
        total += length
    if portion:
        yield portion
