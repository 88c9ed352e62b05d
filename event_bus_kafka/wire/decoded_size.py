"""
How much memory a record takes once it is decoded: a few bytes may claim a lot, as a list of empty maps does.

From the schemas alone follows how long a body may be before it could take more than is allowed. Shorter ones, which
are nearly all, cost a comparison; longer ones are passed over once and counted before anything is made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from event_bus_kafka.errors import UnreadableValue
from event_bus_kafka.wire.types import Array, AvroType, Map, Optional, Record, Scalar
from event_bus_kafka.wire.writer_schema import Schema, definition
from event_bus_kafka.wire.writer_schema import kind as kind_of

DECODED_BYTES = 64_000_000
"""The most memory that one record may become, unless the caller says otherwise."""

# Bytes in CPython 3.11 to 3.13, rounded up. Containers are made twice where their items are bound to classes.
_NUMBER = 32
_TEXT = 80
_PARSED = 1200
"""An object that travels as text: a usage key holds a course key, and each holds its parts."""
_CONTAINER = 160
_ITEM_OF_LIST = 20
_ITEM_OF_MAP = 300
_DICT, _ENTRY = 200, 60
_OBJECT, _ATTRIBUTE = 200, 80
_WIDEST_CHARACTER = 4
"""A text of ASCII and one emoji takes so many bytes per character."""

_SIZES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "string": 1, "bytes": 1, "enum": 1}
"""The fewest bytes that a value takes in a record."""
_LONGEST_NUMBER = 10
"""Bytes of a number of 64 bits."""

Walk = Callable[["_Body"], None]


@attrs.frozen(kw_only=True)
class Shape:
    """What a type's values take."""

    memory: int
    """Bytes of memory of a value without the items of its lists and maps, and without the contents of its texts."""
    least: int
    """The fewest bytes that this takes in a record."""
    growth: int = _WIDEST_CHARACTER
    """The most bytes of memory for a byte of the record, in items and texts."""
    walk: Walk
    """Pass over a value, and count its items and texts."""


class SizeLimit:
    """Refuses bodies that would take more than ``most`` bytes of memory; those up to ``harmless`` bytes never do."""

    def __init__(self, writer: Schema, names: dict[str, Schema], reader: AvroType | None, most: int) -> None:
        self._shape = _shape(writer, names, reader)
        self._most = most
        self.harmless = (most - self._shape.memory) // self._shape.growth

    def check(self, body: bytes) -> None:
        """Raises :class:`UnreadableValue`."""
        counted = _Body(body, self._most)
        counted.spend(self._shape.memory)
        self._shape.walk(counted)


class _Body:
    """A position in the bytes of a record, and the memory that is left."""

    def __init__(self, content: bytes, most: int) -> None:
        self._content = content
        self._at = 0
        self._most = self._left = most

    def spend(self, memory: int) -> None:
        self._left -= memory
        if self._left < 0:
            raise UnreadableValue(
                f"it would take more than {self._most} bytes of memory (EVENT_BUS_KAFKA_DECODED_BYTES)"
            )

    def skip(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if size < 0 or self._at > len(self._content):
            raise UnreadableValue("not what its schema says: a length beyond its end")
        return self._content[start : self._at]

    def number(self) -> int:
        content, at = self._content, self._at
        result = 0
        for index, byte in enumerate(content[at : at + _LONGEST_NUMBER]):
            result |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                self._at = at + index + 1
                return (result >> 1) ^ -(result & 1)
        raise UnreadableValue("not what its schema says: a number without an end")


def _shape(writer: Schema, names: dict[str, Schema], reader: AvroType | None) -> Shape:
    target = reader.item if isinstance(reader, Optional) else reader
    if isinstance(writer, list):
        return _union([_shape(branch, names, target) for branch in writer])
    type_ = definition(writer, names)
    kind = kind_of(type_)
    if kind in ("record", "error"):
        return _record(type_, names, target)
    if kind in ("array", "map"):
        item = target.item if isinstance(target, (Array, Map)) else None
        return _repeated(_shape(type_["items" if kind == "array" else "values"], names, item), is_map=kind == "map")
    return _simple(type_, kind, target)


def _simple(type_: Schema, kind: str, reader: AvroType | None) -> Shape:
    if kind in ("string", "bytes"):
        parsed = isinstance(reader, Scalar) and reader.parse is not None
        return Shape(memory=_TEXT + parsed * _PARSED, least=1, walk=_text)
    if kind == "fixed":
        size = type_["size"]
        return Shape(memory=_TEXT, least=size, walk=lambda body: body.spend(len(body.skip(size))))
    if kind in ("float", "double", "boolean", "null"):
        size = _SIZES[kind]
        return Shape(memory=_NUMBER, least=size, walk=lambda body: _nothing(body.skip(size)))
    return Shape(memory=_NUMBER, least=_SIZES[kind], walk=lambda body: _nothing(body.number()))


def _record(type_: Schema, names: dict[str, Schema], reader: AvroType | None) -> Shape:
    bound = {field.name: field.type for field in reader.fields} if isinstance(reader, Record) else {}
    fields = [_shape(field["type"], names, bound.get(field["name"])) for field in type_["fields"]]
    walks = [field.walk for field in fields]

    def walk(body: _Body) -> None:
        for each in walks:
            each(body)

    own = _DICT + _ENTRY * len(fields) + _OBJECT + _ATTRIBUTE * len(bound)
    return Shape(
        memory=own + sum(field.memory for field in fields),
        least=sum(field.least for field in fields),
        growth=max([_WIDEST_CHARACTER, *(field.growth for field in fields)]),
        walk=walk,
    )


def _union(branches: list[Shape]) -> Shape:
    most = max((branch.memory for branch in branches), default=0)

    def walk(body: _Body) -> None:
        branch = branches[_index(body.number(), len(branches))]
        body.spend(branch.memory - most)  # what was counted before is the largest branch: most values may be null
        branch.walk(body)

    return Shape(
        memory=most,
        least=1,
        growth=max([_WIDEST_CHARACTER, *(branch.growth for branch in branches)]),
        walk=walk,
    )


def _repeated(item: Shape, *, is_map: bool) -> Shape:
    memory = item.memory + (_ITEM_OF_MAP if is_map else _ITEM_OF_LIST)
    least = item.least + is_map

    def walk(body: _Body) -> None:
        while count := body.number():
            if count < 0:
                body.number()  # bytes of the block
            for _ in range(abs(count)):
                body.spend(memory)
                if is_map:
                    _text(body)
                item.walk(body)

    return Shape(memory=_CONTAINER, least=1, growth=max(item.growth, -(-memory // max(least, 1))), walk=walk)


def _text(body: _Body) -> None:
    content = body.skip(body.number())
    body.spend(len(content) if content.isascii() else len(content) * _WIDEST_CHARACTER)


def _index(number: int, length: int) -> int:
    if not 0 <= number < length:
        raise UnreadableValue("not what its schema says: no such branch of a union")
    return number


def _nothing(_: Any) -> None:
    pass
