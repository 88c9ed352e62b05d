"""
Packs headers into bytes, for database rows that store a record, and unpacks them.

Format: size of the names (2 bytes), the names as a JSON list, the length of each value (4 bytes, -1: null), the values.
Nearly all records have the same names, so the packed and unpacked names are cached.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from event_bus_kafka.wire.records import Headers, HeadersByName

_SIZE = struct.Struct(">H")
_KEPT = 256


def pack(headers: Headers) -> bytes:
    """Return headers as bytes."""
    values = [value for _, value in headers]
    lengths = [-1 if value is None else len(value) for value in values]
    head = _head(tuple([name for name, _ in headers]))
    return b"".join([head, struct.pack(f">{len(lengths)}i", *lengths), *filter(None, values)])


def unpack(packed: bytes) -> Headers:
    """Return the headers from which :func:`pack` made ``packed``."""
    layout = _layout(packed)
    return tuple(zip(layout.names, layout.values(packed), strict=True))


def text_of(packed: bytes, name: str) -> str:
    """Return the value of a header as text; empty if the header is missing or the headers cannot be read."""
    try:
        return (dict(unpack(packed)).get(name) or b"").decode(errors="replace")
    except Exception:  # noqa: BLE001 a row may hold anything
        return ""


class Unpacker:
    """
    Unpacks headers. A call is fast if names and lengths are the same as in the previous call, which is the usual case.
    """

    def __init__(self) -> None:
        self._last: _Layout | None = None

    def __call__(self, packed: bytes) -> Headers | HeadersByName:
        """
        Return the headers as a dict, because one dict is cheaper than one tuple per header. If a name occurs twice,
        return tuples instead.
        """
        last = self._last
        if last is None or not packed.startswith(last.head):
            last = self._last = _layout(packed)
        if last.is_plain:
            return dict(zip(last.names, last.take(packed, len(last.head))))  # noqa: B905 take() returns one value per name
        pairs = zip(last.names, last.values(packed), strict=True)
        return dict(pairs) if last.are_unique else tuple(pairs)


class _Layout(NamedTuple):
    """The common part of headers with the same names and the same lengths of values."""

    head: bytes
    """The bytes before the values."""
    names: tuple[str, ...]
    are_unique: bool
    """Whether no name occurs twice."""
    take: Callable[[bytes, int], tuple[bytes, ...]]
    absent: frozenset[int]
    """Indices of null values."""
    is_plain: bool
    """Whether names are unique and no value is null."""

    def values(self, packed: bytes) -> Sequence[bytes | None]:
        values = self.take(packed, len(self.head))
        if not self.absent:
            return values
        return [None if number in self.absent else value for number, value in enumerate(values)]


def _layout(packed: bytes) -> _Layout:
    names, start, are_unique = _names(packed[: _SIZE.size + (packed[0] << 8 | packed[1])])
    head = packed[:start]
    if len(head) < start:
        raise ValueError("the headers end within their lengths")
    take, absent = _values(head[start - 4 * len(names) :])
    return _Layout(head, names, are_unique, take, absent, is_plain=are_unique and not absent)


@lru_cache(_KEPT)
def _head(names: tuple[str, ...]) -> bytes:
    packed = json.dumps(names).encode()
    return _SIZE.pack(len(packed)) + packed


@lru_cache(_KEPT)
def _names(head: bytes) -> tuple[tuple[str, ...], int, bool]:
    """Return the names, the index at which the values begin, and whether no name occurs twice."""
    names = tuple(json.loads(head[_SIZE.size :]))
    if not all(isinstance(name, str) for name in names):
        raise ValueError("names of headers are texts")
    return names, len(head) + 4 * len(names), len(set(names)) == len(names)


@lru_cache(_KEPT)
def _values(packed_lengths: bytes) -> tuple[Callable[[bytes, int], tuple[bytes, ...]], frozenset[int]]:
    """
    Return a function that splits values of these lengths, and the indices of null values.

    Cached, because the headers of most records have the same lengths.
    """
    lengths = struct.unpack(f">{len(packed_lengths) // 4}i", packed_lengths)
    absent = frozenset(number for number, length in enumerate(lengths) if length < 0)
    return struct.Struct("".join([f"{max(length, 0)}s" for length in lengths])).unpack_from, absent
