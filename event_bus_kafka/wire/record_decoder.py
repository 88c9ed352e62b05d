"""
The quick decoder of an event, compiled for one writer's schema and this service's classes.

The decoder makes objects directly from the bytes, without a dict per record and without a call per field. If anything
is unexpected, the careful decoder decodes the event instead, and raises the proper error. The careful decoder consists
of fastavro and ``resolution.py``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from keyword import iskeyword
from typing import Any

from event_bus_kafka.wire.types import Array, AvroType, Field, Map, Optional, Record, Scalar
from event_bus_kafka.wire.writer_schema import Schema, definition
from event_bus_kafka.wire.writer_schema import kind as kind_of


class Unexpected(Exception):
    """Raised for bytes, or a schema, that only the careful decoder handles."""


def quick_decoder(
    reader: Record, writer: Schema, names: dict[str, Schema], *, most_lines: int
) -> Callable[[bytes], dict[str, Any]] | None:
    """
    Return a decoder of events; None if the schema has rare types, or the decoder's code would exceed ``most_lines``.

    If the decoder is not certain about the meaning of the bytes, it raises an exception of any class. Leave the
    ``except`` block before calling the careful decoder, because the exception and the decoder's frame may quote the
    event. The careful decoder must have accepted the two schemas before. Then both decoders return equal values.

    The decoder looks like this, for an event of one class with a text and a bool::

        def decode(body):
            at = 0
            size = body[at]; at += 1
            if size & 129: size, at = length(body, at)
            end = at + (size >> 1)
            value_1 = body[at:end].decode(); at = end
            value_2 = booleans[body[at]]; at += 1
            value_3 = build_6(value_1, value_2)
            if at != len(body): raise Unexpected
            return {'enrollment': value_3}
    """
    code = _Code(names, most_lines)
    try:
        result = code.read(writer, reader)
        end = ["    if at != len(body): raise Unexpected", f"    return {result}"]
        exec("\n".join(["def decode(body):", "    at = 0", *code.lines, *end]), code.globals)
    except Exception:  # noqa: BLE001 such as SyntaxError for lists nested deeper than Python allows loops
        return None
    decode: Callable[[bytes], dict[str, Any]] = code.globals["decode"]
    return decode


class _Code:
    """The decoder's source lines, which read one value after the other; they contain no text of the writer's schema."""

    def __init__(self, names: dict[str, Schema], most_lines: int) -> None:
        self._names = names
        self._most_lines = most_lines
        self.globals: dict[str, Any] = {
            "Unexpected": Unexpected,
            "booleans": (False, True),
            "length": _length,
            "number": _number,
            "double": struct.Struct("<d").unpack_from,
            "float32": struct.Struct("<f").unpack_from,
        }
        self.lines: list[str] = []
        self._indent = "    "
        self._variables = 0

    def read(self, writer: Schema, reader: AvroType | None) -> str:
        """
        Add lines that read a value; return the expression for the value, converted to ``reader``. If ``reader`` is
        None, this service's event does not contain the value, and callers ignore the expression.
        """
        if len(self.lines) > self._most_lines:
            raise Unexpected
        type_ = definition(writer, self._names)
        if isinstance(type_, list):
            return self._union(type_, reader)
        target = reader.item if isinstance(reader, Optional) else reader
        kind = kind_of(type_)
        if kind == "record" and type_["fields"]:
            return self._record(type_, target if isinstance(target, Record) else None)
        if kind in ("array", "map"):
            return self._container(type_, kind, target.item if isinstance(target, (Array, Map)) else None)
        if kind not in _PRIMITIVES:
            raise Unexpected
        return self._primitive(kind, target if isinstance(target, Scalar) else None)

    def _primitive(self, kind: str, reader: Scalar | None) -> str:
        value = self._variable()
        self._add(*[line.format(value=value) for line in _PRIMITIVES[kind]])
        if reader is not None and reader.schema == "double" and kind in ("int", "long"):
            self._add(f"{value} = float({value})")
        elif reader is not None and reader.parse is not None:
            self._add(f"{value} = {self._global('parse', reader.parse)}({value})")
        return value

    def _union(self, branches: list[Schema], reader: AvroType | None) -> str:
        others = [index for index, branch in enumerate(branches) if branch != "null"]
        if len(branches) != 2 or len(others) != 1:
            raise Unexpected
        value, other = self._variable(), others[0]
        self._add("branch = body[at]; at += 1", f"if branch == {2 * other}:")
        with self._nested():
            self._add(f"{value} = {self.read(branches[other], reader)}")
        if reader is None or isinstance(reader, Optional):
            self._add(f"elif branch == {2 * (1 - other)}: {value} = None")
        self._add("else: raise Unexpected")
        return value

    def _container(self, type_: Schema, kind: str, item: AvroType | None) -> str:
        value, is_map = self._variable(), kind == "map"
        self._add(f"{value} = {'{}' if is_map else '[]'}", "while True:")
        with self._nested():
            self._add(
                "count = body[at]; at += 1",
                "if count & 129: count, at = length(body, at)",
                "if not count: break",
                "for _ in range(count >> 1):",
            )
            with self._nested():
                key = self._primitive("string", None) if is_map else ""
                read = self.read(type_["values" if is_map else "items"], item)
                self._add(f"{value}[{key}] = {read}" if is_map else f"{value}.append({read})")
        return value

    def _record(self, type_: Schema, reader: Record | None) -> str:
        known = {field.name: field for field in reader.fields} if reader else {}
        values = {}
        for field in type_["fields"]:
            name = field["name"]
            values[name] = self.read(field["type"], known[name].type if name in known else None)
        if reader is None:
            return "None"
        built = [field for field in reader.fields if field.name in values]
        if reader.build is dict:
            return "{" + ", ".join(f"{field.argument!r}: {values[field.name]}" for field in built) + "}"
        value, build = self._variable(), self._global("build", reader.build)
        self._add(f"{value} = {build}({', '.join(_arguments(reader, built, values))})")
        return value

    @contextmanager
    def _nested(self) -> Iterator[None]:
        outer, self._indent = self._indent, self._indent + "    "
        yield
        self._indent = outer

    def _add(self, *lines: str) -> None:
        self.lines += [self._indent + line for line in lines]

    def _variable(self) -> str:
        self._variables += 1
        return f"value_{self._variables}"

    def _global(self, kind: str, value: Any) -> str:
        name = f"{kind}_{len(self.globals)}"
        self.globals[name] = value
        return name


def _arguments(reader: Record, built: list[Field], values: dict[str, str]) -> list[str]:
    """
    Return the source code of the arguments with which an object is built. Positional arguments are faster. They are
    used if ``reader`` has at least two fields, ``built`` contains all of them, and none is keyword-only. Otherwise
    keyword arguments are used.
    """
    if len(built) == len(reader.fields) > 1 and not any(field.keyword_only for field in built):
        return [values[field.name] for field in built]
    if not all(field.argument.isidentifier() and not iskeyword(field.argument) for field in built):
        raise Unexpected
    return [f"{field.argument}={values[field.name]}" for field in built]


_SLICE = (
    "size = body[at]; at += 1",
    "if size & 129: size, at = length(body, at)",
    "end = at + (size >> 1)",
)
_LONG = (
    "{value} = body[at]; at += 1",
    "if {value} > 127: {value}, at = number(body, at)",
    "{value} = ({value} >> 1) ^ -({value} & 1)",
)
_PRIMITIVES = {
    "string": (*_SLICE, "{value} = body[at:end].decode(); at = end"),
    "bytes": (*_SLICE, "{value} = body[at:end]; at = end"),
    "boolean": ("{value} = booleans[body[at]]; at += 1",),
    "int": _LONG,
    "long": _LONG,
    "double": ("{value} = double(body, at)[0]; at += 8",),
    "float": ("{value} = float32(body, at)[0]; at += 4",),
}
"""
The code that reads each primitive type from ``body`` at ``at``. A slice beyond the end is detected at the end of the
record.
"""


def _number(body: bytes, at: int) -> tuple[int, int]:
    """
    Read the number that begins one byte before ``at``. Return the number, still zigzag-encoded, and the index after its
    last byte.
    """
    number, shift = body[at - 1] & 0x7F, 7
    while (byte := body[at]) > 0x7F and shift < 63:
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
    number |= byte << shift
    if number >= 1 << 64:
        raise Unexpected
    return number, at + 1


def _length(body: bytes, at: int) -> tuple[int, int]:
    """
    Read the length that begins one byte before ``at``. Return the length, still zigzag-encoded, and the index after its
    last byte. Raises :class:`Unexpected` if the length is negative or has more than 64 bits.
    """
    byte = body[at]
    number, at = (body[at - 1] & 0x7F | byte << 7, at + 1) if byte < 0x80 else _number(body, at)
    if number & 1:
        raise Unexpected
    return number, at
