"""
Avro's binary encoding of single values (Avro 1.11, "Binary Encoding").

Each encoder takes one Python value and returns its bytes. It raises an exception if the value does not have the type.
Values are not converted, because a changed value is worse than an error. A value of another type is accepted only in
these cases: the numbers 0 and 1 as a bool, a bool or an integer of any class as a long, an int or bool as a double, a
tuple as a list, and any bytes-like object as bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from operator import index
from typing import Any

Encode = Callable[[Any], bytes]

BOOLEANS = {True: b"\x01", False: b"\x00"}
_DOUBLE = struct.Struct("<d").pack
_MIN_LONG, _MAX_LONG = -(1 << 63), (1 << 63) - 1
_LONGEST_NUMBER = 10
"""Maximum bytes of an encoded 64-bit number."""


def _variable_length(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    if 0x4000 <= zigzag < 0x200000:  # most ids
        return bytes((zigzag & 0x7F | 0x80, zigzag >> 7 & 0x7F | 0x80, zigzag >> 14))
    encoded = bytearray()
    while zigzag > 0x7F:
        encoded.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    encoded.append(zigzag)
    return bytes(encoded)


LENGTHS = [_variable_length(length) for length in range(4096)]
"""
Cache: the encoded numbers from 0 to 4095. Most lengths and counts are in this range, and a look-up is five times as
fast as encoding a number.
"""


def boolean(value: bool) -> bytes:
    return BOOLEANS[value]


def long(value: int) -> bytes:
    number = value if type(value) is int else index(value)  # integers of other packages may be narrower than 64 bits
    if not _MIN_LONG <= number <= _MAX_LONG:
        raise OverflowError("more than 64 bits")
    return _variable_length(number)


def read_number(content: bytes, at: int) -> tuple[int, int]:
    """
    Read the number that begins at ``at``. Return the number, still zigzag-encoded, and the index after its last byte.
    Raises ValueError if the number does not end within ``content`` or is too long.
    """
    number = 0
    for place, byte in enumerate(content[at : at + _LONGEST_NUMBER]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise ValueError("a number without an end")


def double(value: Any) -> bytes:
    if type(value) is not float and not (isinstance(value, (float, int)) and float(value) == value):
        raise TypeError("not a float, nor equal to one")
    return _DOUBLE(value)


def string(value: str) -> bytes:
    encoded = value.encode()
    size = len(encoded)
    return (LENGTHS[size] if size < 4096 else _variable_length(size)) + encoded


def binary(value: bytes) -> bytes:
    content = bytes(memoryview(value))
    return _variable_length(len(content)) + content


def array(item: Encode) -> Encode:
    """Return the encoder of lists whose items are encoded by ``item``."""

    def encode(values: list[Any]) -> bytes:
        if not isinstance(values, (list, tuple)):
            raise TypeError("not a list")
        if not values:
            return b"\x00"
        return b"".join([_variable_length(len(values)), *map(item, values), b"\x00"])

    return encode


def mapping(value: Encode) -> Encode:
    """
    Return the encoder of dicts. ``value``: the encoder of their values. Their keys are str, and are sorted as in
    openedx-events.
    """

    def encode(values: dict[str, Any]) -> bytes:
        if not isinstance(values, dict):
            raise TypeError("not a dict")
        if not values:
            return b"\x00"
        pairs = [string(key) + value(values[key]) for key in sorted(values)]
        return b"".join([_variable_length(len(pairs)), *pairs, b"\x00"])

    return encode


def optional(value: Encode) -> Encode:
    """Return the encoder of the union ``["null", T]``; ``value`` encodes T."""

    def encode(item: Any) -> bytes:
        return b"\x00" if item is None else b"\x02" + value(item)

    return encode
