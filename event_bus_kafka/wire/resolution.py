"""
Converts values of a writer's schema to values of this service's classes (Avro 1.11, "Schema Resolution").

Fields of records are matched by name. A field that this service does not know is ignored. A field that the writer does
not know gets the default of the attrs class. If null was written for a field that cannot be None here, the field counts
as missing. All decisions that need only the two schemas are made once per schema, not per event.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from operator import itemgetter
from typing import Any

from event_bus_kafka.errors import IncompatibleSchema, UnreadableValue
from event_bus_kafka.wire.types import Array, AvroType, Field, Map, Optional, Record, Scalar
from event_bus_kafka.wire.writer_schema import Schema, definition
from event_bus_kafka.wire.writer_schema import kind as kind_of

Bind = Callable[[Any], Any]

_READABLE_AS = {
    "boolean": {"boolean"},
    "long": {"long", "int"},
    "double": {"double", "float", "long", "int"},
    "string": {"string", "enum"},
    "bytes": {"bytes", "fixed"},
}


class _Absent(Exception):
    """Raised for null in a field that cannot be None in this service, so that the field counts as missing."""


def binder(reader: AvroType, writer: Schema, names: dict[str, Schema], path: tuple[str, ...] = ()) -> Bind | None:
    """
    Return the function that converts a decoded value of ``writer`` to a value of ``reader``; None if no conversion is
    needed.

    ``names``: the writer's named types. ``path``: the names that lead to the value, for errors.

    Raises :class:`IncompatibleSchema` if the type ``writer`` cannot be read as ``reader``, even if some of its values
    could be converted, such as null. The returned function raises :class:`IncompatibleSchema` if a field that is
    required here was written as null, and :class:`UnreadableValue` if this service's classes refuse a value.
    """
    branches = [definition(branch, names) for branch in (writer if isinstance(writer, list) else [writer])]
    written = [branch for branch in branches if kind_of(branch) != "null"]
    target = reader.item if isinstance(reader, Optional) else reader
    if len(written) != 1:
        raise _incompatible(path, target, "union of several types" if written else "null")
    bind = _binder_of_one(target, written[0], names, path)
    if len(branches) == 1:
        return bind
    return _or_none(bind) if target is not reader else _or_absent(bind)


def _binder_of_one(reader: AvroType, writer: Schema, names: dict[str, Schema], path: tuple[str, ...]) -> Bind | None:
    kind = kind_of(writer)
    if isinstance(reader, Record) and kind == "record":
        return _record(reader, writer, names, path)
    if isinstance(reader, Array) and kind == "array":
        item = _item_binder(reader, writer["items"], names, path)
        return item and (lambda values: [item(value) for value in values])
    if isinstance(reader, Map) and kind == "map":
        value = _item_binder(reader, writer["values"], names, path)
        return value and (lambda values: {key: value(item) for key, item in values.items()})
    if isinstance(reader, Scalar) and kind in _READABLE_AS[reader.schema]:
        if reader.schema == "double" and kind in _READABLE_AS["long"]:
            return float
        return reader.parse and _parser(reader, path)
    raise _incompatible(path, reader, kind)


def _item_binder(reader: Array | Map, writer: Schema, names: dict[str, Schema], path: tuple[str, ...]) -> Bind | None:
    if isinstance(writer, list):
        raise _incompatible(path, reader, "container of nullable items")
    return binder(reader.item, writer, names, path)


def _record(reader: Record, writer: Schema, names: dict[str, Schema], path: tuple[str, ...]) -> Bind:
    written = {field["name"]: field["type"] for field in writer["fields"]}
    known = [field for field in reader.fields if field.name in written]
    for field in reader.fields:
        if field.required and field.name not in written:
            raise IncompatibleSchema(
                "required here, but not in the writer's schema", field=".".join((*path, field.name))
            )
    binds = [(field, binder(field.type, written[field.name], names, (*path, field.name))) for field in known]
    return _record_binder(reader, binds, path)


def _record_binder(reader: Record, binds: list[tuple[Field, Bind | None]], path: tuple[str, ...]) -> Bind:
    by_name = _by_name(reader, binds, path)
    names = [field.name for field, _ in binds]
    in_order = reader.build is not dict and names == [field.name for field in reader.fields]
    if len(names) < 2 or not in_order or any(field.keyword_only for field in reader.fields):
        return by_name
    return _by_position(reader, binds, by_name)


def _by_position(reader: Record, binds: list[tuple[Field, Bind | None]], by_name: Bind) -> Bind:
    """
    Return a function that builds objects with positional arguments, twice as fast as with keyword arguments. The writer
    must have all fields of ``reader``, which is the usual case. ``by_name``: called after an error, because an error
    that ``by_name`` raises names the field.
    """
    build = reader.build
    get = itemgetter(*(field.name for field, _ in binds))
    bound = [(position, bind) for position, (_, bind) in enumerate(binds) if bind is not None]

    def bind_record(values: dict[str, Any]) -> Any:
        try:
            items = [*get(values)]
            for position, bind in bound:
                items[position] = bind(items[position])
            return build(*items)
        except Exception:  # noqa: BLE001 binding by name raises an error that names the field
            return by_name(values)

    return bind_record


def _by_name(reader: Record, binds: list[tuple[Field, Bind | None]], path: tuple[str, ...]) -> Bind:
    build = reader.build
    plain = [(field.argument, field.name) for field, bind in binds if bind is None]
    bound = [(field.argument, field.name, bind) for field, bind in binds if bind is not None]

    def bind_record(values: dict[str, Any]) -> Any:
        arguments = {argument: values[name] for argument, name in plain if name in values}
        for argument, name, bind in bound:
            if name in values:
                with suppress(_Absent):
                    arguments[argument] = bind(values[name])
        try:
            return build(**arguments)
        except Exception as error:  # noqa: BLE001 converters and validators of the class may raise anything, and quote event data
            raise _refused(reader, arguments, error, path) from None

    return bind_record


def _refused(reader: Record, arguments: dict[str, Any], error: Exception, path: tuple[str, ...]) -> Exception:
    for field in reader.fields:
        if field.required and field.argument not in arguments:
            return IncompatibleSchema("required here, but null or missing", field=".".join((*path, field.name)))
    return UnreadableValue(f"{reader.expects} refused its values: {type(error).__name__}", field=".".join(path))


def _or_none(bind: Bind | None) -> Bind | None:
    return bind and (lambda value: None if value is None else bind(value))


def _or_absent(bind: Bind | None) -> Bind:
    def bind_value(value: Any) -> Any:
        if value is None:
            raise _Absent
        return value if bind is None else bind(value)

    return bind_value


def _parser(reader: Scalar, path: tuple[str, ...]) -> Bind:
    parse = reader.parse
    assert parse is not None

    def parse_text(text: str) -> Any:
        try:
            return parse(text)
        except Exception:  # noqa: BLE001 key classes of any package may raise anything, and quote the text, which is event data
            raise UnreadableValue(f"its text is not a valid {reader.expects}", field=".".join(path)) from None

    return parse_text


def _incompatible(path: tuple[str, ...], reader: AvroType, kind: str) -> IncompatibleSchema:
    return IncompatibleSchema(f"the writer's {kind} cannot be read as {reader.expects}", field=".".join(path))
