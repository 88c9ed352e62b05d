"""Divides a sequence into chunks, limited in number of items and bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def in_chunks(items: Iterable[T], size: Callable[[T], int], *, most: int, most_bytes: int) -> Iterator[list[T]]:
    """
    Yield ``items`` in order, in chunks of at most ``most`` items and ``most_bytes`` bytes. An item that is larger than
    ``most_bytes`` is a chunk by itself. ``size`` returns the bytes of an item.
    """
    chunk: list[T] = []
    total = 0
    for item in items:
        length = size(item)
        if chunk and (len(chunk) == most or total + length > most_bytes):
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += length
    if chunk:
        yield chunk
