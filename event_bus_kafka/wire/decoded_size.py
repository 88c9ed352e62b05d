"""
Limits the memory that a decoded record may use, because a few bytes may declare large objects, for example a list of
empty maps.

The schemas determine a length up to which no body (the Avro bytes of a value) can exceed the limit. Nearly all bodies
are shorter, and cost only one comparison. A longer one is scanned before any object is made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from sys import getsizeof
from typing import Any

import attrs

from event_bus_kafka.errors import UnreadableValue
from event_bus_kafka.wire.binary import read_number
from event_bus_kafka.wire.types import Array, AvroType, Container, Map, Optional, Record, Scalar
from event_bus_kafka.wire.writer_schema import Schema, definition
from event_bus_kafka.wire.writer_schema import kind as kind_of

DECODED_BYTES = 64_000_000
"""Maximum bytes of memory for one record, unless the caller gives another limit."""

# Bytes in CPython 3.11 to 3.13, rounded up by its allocator. None, booleans and small numbers exist anyway.
_NUMBER = 32
_SMALL = range(-5, 257)
_LARGE, _LARGER_BY = 1 << 60, 16
_TEXT = 80
"""Estimated bytes of memory of a text or bytes value. A scan replaces the estimate by the value's real size."""
_OBJECTS, _OBJECT = {"datetime": 64, "UUID": 128}, 640
"""
Bytes of memory of an object that is written as a text: by class, and ``_OBJECT`` for every class that is not listed.
Objects of such a class, for example course keys, consist of parts. A scan counts the memory of the parts in addition.
"""
_LIST, _FIRST_OF_LIST, _ITEM_OF_LIST = 64, 32, 10
_MAP, _FIRST_OF_MAP, _ITEM_OF_MAP = 64, 120, 64
"""
Bytes of memory of a dict: ``_MAP`` if it is empty, ``_FIRST_OF_MAP`` more if it has items, and ``_ITEM_OF_MAP`` more
for each item. The constants for lists have the same meanings. The numbers are large enough even if the dict's table has
just grown and been copied.
"""
_INLINE, _SHARED = 16, 30
"""
Maximum numbers of attributes. An object with at most ``_INLINE`` attributes stores them itself. An object with at most
``_SHARED`` attributes stores them in a dict that shares its keys with other objects.
"""
_WIDEST_CHARACTER = 4
"""Bytes per character of a text that contains an emoji, even if all other characters are ASCII."""

_SIZES = {"int": 1, "long": 1, "float": 4, "double": 8, "enum": 1}
"""Avro type → minimum bytes of a value in a record."""

Walk = Callable[["_Body"], None]


@attrs.frozen(kw_only=True)
class Shape:
    """The memory that values of an Avro type use."""

    memory: int
    """Memory of a value in bytes, without the items of its lists and maps, and without the contents of its texts."""
    least: int
    """Minimum number of bytes that an encoded value has."""
    growth: int = _WIDEST_CHARACTER
    """Maximum bytes of memory that a value needs for each encoded byte of its items and texts."""
    walk: Walk
    """
    Scans a value and corrects the memory counted so far, which includes ``memory``: adds what items and texts need, and
    subtracts what the value does not need of ``memory``.
    """


class SizeLimit:
    """
    Refuses bodies that would use more than ``most`` bytes of memory. A body of up to ``harmless`` bytes cannot exceed
    ``most``.
    """

    def __init__(self, writer: Schema, names: dict[str, Schema], reader: AvroType | None, most: int) -> None:
        self._shape = _Shapes(names).of(writer, reader)
        self._most = most
        self.harmless = (most - self._shape.memory) // self._shape.growth

    def check(self, body: bytes) -> None:
        """Raise :class:`UnreadableValue` if a body would use too much memory."""
        counted = _Body(body, self._most)
        counted.spend(self._shape.memory)
        self._shape.walk(counted)


class _Body:
    """A position in the bytes of a record, and the memory that is still permitted."""

    def __init__(self, content: bytes, most: int) -> None:
        self._content = content
        self._at = 0
        self._most = self._left = most

    def spend(self, memory: int) -> None:
        self._left -= memory
        if self._left < 0:
            raise UnreadableValue(
                f"it would use more than {self._most} bytes of memory (EVENT_BUS_KAFKA_DECODED_BYTES)"
            )

    def skip(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if size < 0 or self._at > len(self._content):
            raise UnreadableValue("the bytes do not fit the writer's schema: a length beyond the end")
        return self._content[start : self._at]

    def number(self) -> int:
        try:
            number, self._at = read_number(self._content, self._at)
        except ValueError as error:
            raise UnreadableValue(f"the bytes do not fit the writer's schema: {error}") from None
        return (number >> 1) ^ -(number & 1)


class _Shapes:
    """
    Makes the shapes of a writer's types. The shape of a type that is used by name is made only once for each reader,
    because a short schema may use a large type in a thousand places.
    """

    def __init__(self, names: dict[str, Schema]) -> None:
        self._names = names
        self._known: dict[tuple[str, int], Shape] = {}

    def of(self, writer: Schema, reader: AvroType | None) -> Shape:
        """Return the shape of a ``writer`` value that is converted to ``reader``; None: the value is not converted."""
        target = reader.item if isinstance(reader, Optional) else reader
        if not isinstance(writer, str):
            return self._made(writer, target)
        name = writer, id(target)
        if name not in self._known:
            self._known[name] = self._made(definition(writer, self._names), target)
        return self._known[name]

    def _made(self, type_: Schema, reader: AvroType | None) -> Shape:
        if isinstance(type_, list):
            return _union([self.of(branch, reader) for branch in type_])
        kind = kind_of(type_)
        if kind in ("record", "error"):
            return self._record(type_, reader)
        if kind in ("array", "map"):
            own = reader.item if isinstance(reader, (Array, Map)) else None
            item = self.of(type_["items" if kind == "array" else "values"], own)
            return _repeated(item, is_map=kind == "map", copies=2 if own and _is_made_anew(own) else 1)
        return _simple(type_, kind, reader)

    def _record(self, type_: Schema, reader: AvroType | None) -> Shape:
        bound = {field.name: field.type for field in reader.fields} if isinstance(reader, Record) else {}
        fields = [self.of(field["type"], bound.get(field["name"])) for field in type_["fields"]]
        walks = [field.walk for field in fields]

        def walk(body: _Body) -> None:
            for each in walks:
                each(body)

        own = _dict_of(len(fields)) + (_object_of(reader) if isinstance(reader, Record) else 0)
        return Shape(
            memory=own + sum(field.memory for field in fields),
            least=sum(field.least for field in fields),
            growth=max([_WIDEST_CHARACTER, *(field.growth for field in fields)]),
            walk=walk,
        )


def _simple(type_: Schema, kind: str, reader: AvroType | None) -> Shape:
    made = _parsed(reader)
    if kind in ("string", "bytes"):
        walk = (_text_and_parts if made == _OBJECT else _text) if kind == "string" else _bytes
        return Shape(memory=_TEXT + made, least=1, walk=walk)
    if kind == "fixed":
        size = type_["size"]
        return Shape(memory=_TEXT + made, least=size, walk=lambda body: body.spend(len(body.skip(size))))
    if kind == "null":
        return Shape(memory=0, least=0, walk=_nothing)
    if kind == "boolean":
        return Shape(memory=made, least=1, walk=lambda body: _nothing(body.skip(1)))
    least = _SIZES[kind]
    if kind in ("float", "double"):
        return Shape(memory=_NUMBER + made, least=least, walk=lambda body: _nothing(body.skip(least)))
    if kind == "enum":
        return Shape(memory=made, least=least, walk=lambda body: _nothing(body.number()))
    as_float = _NUMBER if isinstance(reader, Scalar) and reader.schema == "double" else 0
    return Shape(memory=_NUMBER + as_float + made, least=least, walk=_number)


def _parsed(reader: AvroType | None) -> int:
    """Return the bytes of the object that is made from a decoded value; 0 if the value stays unchanged."""
    if not isinstance(reader, Scalar) or reader.parse is None:
        return 0
    return _OBJECTS.get(reader.expects, _OBJECT)


def _is_made_anew(reader: AvroType) -> bool:
    """Return whether the decoded value is converted into another object."""
    if isinstance(reader, Container):
        return _is_made_anew(reader.item)
    return isinstance(reader, Record) or (
        isinstance(reader, Scalar) and bool(reader.parse or reader.schema == "double")
    )


def _union(branches: list[Shape]) -> Shape:
    most = max((branch.memory for branch in branches), default=0)

    def walk(body: _Body) -> None:
        branch = branches[_index(body.number(), len(branches))]
        body.spend(branch.memory - most)  # memory counts the largest branch; most values may be null
        branch.walk(body)

    return Shape(
        memory=most,
        least=1,
        growth=max([_WIDEST_CHARACTER, *(branch.growth for branch in branches)]),
        walk=walk,
    )


def _repeated(item: Shape, *, is_map: bool, copies: int) -> Shape:
    """Return the shape of a list or map. ``copies``: 2 if each item is copied into a second container, else 1."""
    own, first, each = (_MAP, _FIRST_OF_MAP, _ITEM_OF_MAP) if is_map else (_LIST, _FIRST_OF_LIST, _ITEM_OF_LIST)
    memory = item.memory + copies * each + (_TEXT if is_map else 0)
    least = item.least + is_map

    def walk(body: _Body) -> None:
        any_yet = 0
        while count := body.number():
            if not any_yet:
                body.spend(copies * first)
                any_yet = 1
            if count < 0:
                body.number()  # the block's size in bytes
            for _ in range(abs(count)):
                body.spend(memory)
                if is_map:
                    _text(body)
                item.walk(body)

    growth = max(item.growth, copies * first, -(-memory // max(least, 1)))
    return Shape(memory=copies * own, least=1, growth=growth, walk=walk)


@cache
def _dict_of(count: int) -> int:
    """Return the bytes of the dict for a decoded record with ``count`` fields."""
    return getsizeof({str(number): None for number in range(count)})


def _object_of(reader: Record) -> int:
    """Return the bytes of an object of an attrs class, including the dict of attributes that frozen classes have."""
    count = len(reader.fields)
    if reader.build is dict:
        return _dict_of(count)
    if count <= _INLINE:
        return 152 + 8 * count
    return 460 if count <= _SHARED else 350 + _dict_of(max(count, 2 * _SHARED))


def _number(body: _Body) -> None:
    number = body.number()
    if number in _SMALL:
        body.spend(-_NUMBER)
    elif abs(number) >= _LARGE:
        body.spend(_LARGER_BY)


def _text(body: _Body) -> None:
    _made(body, body.skip(body.number()).decode(errors="replace"))


def _text_and_parts(body: _Body) -> None:
    text = body.skip(body.number()).decode(errors="replace")
    _made(body, text)
    body.spend(getsizeof(text))  # parts of the object


def _bytes(body: _Body) -> None:
    _made(body, body.skip(body.number()))


def _made(body: _Body, value: str | bytes) -> None:
    """Replace the estimate ``_TEXT`` by the memory of ``value``. Python shares values of at most one character."""
    body.spend((getsizeof(value) + 15 & -16 if len(value) > 1 else 0) - _TEXT)


def _index(number: int, length: int) -> int:
    if not 0 <= number < length:
        raise UnreadableValue("the bytes do not fit the writer's schema: no such branch of a union")
    return number


def _nothing(_: Any) -> None:
    pass
