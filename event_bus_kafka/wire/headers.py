"""
Headers as bytes, for rows that keep a record.

Size of the names (2 bytes), the names as a JSON list, the length of each value (4 bytes, -1: null), the values. Names
are the same for nearly all records, so that both directions find them ready.
"""

from __future__ import annotations

import json
import struct
from functools import lru_cache

from event_bus_kafka.wire.records import Headers

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
    end = _SIZE.size + _SIZE.unpack_from(packed)[0]
    names = _names(packed[_SIZE.size : end])
    lengths = struct.unpack_from(f">{len(names)}i", packed, end)
    end += 4 * len(names)
    headers: list[tuple[str, bytes | None]] = []
    for name, length in zip(names, lengths, strict=True):
        if length < 0:
            headers.append((name, None))
        else:
            start, end = end, end + length
            headers.append((name, packed[start:end]))
    return tuple(headers)


@lru_cache(_KEPT)
def _head(names: tuple[str, ...]) -> bytes:
    packed = json.dumps(names).encode()
    return _SIZE.pack(len(packed)) + packed


@lru_cache(_KEPT)
def _names(packed: bytes) -> tuple[str, ...]:
    return tuple(json.loads(packed))
