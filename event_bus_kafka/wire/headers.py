"""
Headers as bytes, for rows that keep a record.

Size of the names (2 bytes), the names as a JSON list, the length of each value (4 bytes, -1: null), the values. Names
are the same for nearly all records, so that both directions find them ready.
"""

from __future__ import annotations

import json
import struct
from functools import lru_cache

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
    """Return the headers, to the byte."""
    names, _, values = _apart(packed)
    return tuple(zip(names, values, strict=True))


def unpack_by_name(packed: bytes) -> Headers | HeadersByName:
    """Return the headers by name, where no name stands twice: one object in place of one per header."""
    names, are_unique, values = _apart(packed)
    pairs = zip(names, values, strict=True)
    return dict(pairs) if are_unique else tuple(pairs)


def _apart(packed: bytes) -> tuple[tuple[str, ...], bool, tuple[bytes | None, ...]]:
    """Return the names, whether no name stands twice, and the values."""
    names, start, are_unique = _names(packed[: _SIZE.size + (packed[0] << 8 | packed[1])])
    taken, absent = _values(packed[start - 4 * len(names) : start])
    values = taken.unpack_from(packed, start)
    return names, are_unique, _without(values, absent) if absent else values


def _without(values: tuple[bytes, ...], absent: frozenset[int]) -> tuple[bytes | None, ...]:
    return tuple([None if number in absent else value for number, value in enumerate(values)])


@lru_cache(_KEPT)
def _head(names: tuple[str, ...]) -> bytes:
    packed = json.dumps(names).encode()
    return _SIZE.pack(len(packed)) + packed


@lru_cache(_KEPT)
def _names(head: bytes) -> tuple[tuple[str, ...], int, bool]:
    """Return the names, where the values begin, and whether no name stands twice."""
    names = tuple(json.loads(head[_SIZE.size :]))
    return names, len(head) + 4 * len(names), len(set(names)) == len(names)


@lru_cache(_KEPT)
def _values(packed_lengths: bytes) -> tuple[struct.Struct, frozenset[int]]:
    """Return what takes values of these lengths apart, and which of them are null. Most headers have equal lengths."""
    lengths = struct.unpack(f">{len(packed_lengths) // 4}i", packed_lengths)
    absent = frozenset(number for number, length in enumerate(lengths) if length < 0)
    return struct.Struct("".join([f"{max(length, 0)}s" for length in lengths])), absent
