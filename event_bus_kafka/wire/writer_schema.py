"""
Parses schemas of other writers, and refuses schemas whose use could end the process.

fastavro reads in C, without a limit on depth. Therefore a schema that contains itself, or is nested deeply, overflows
the stack. Besides, values of some types take no bytes. A few bytes could then declare any number of such items, which
would fill the memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fastavro
from fastavro.const import AVRO_TYPES

from event_bus_kafka.errors import IncompatibleSchema

Schema = Any
"""A parsed Avro schema: a name, a list (union) or a dict."""

DEEPEST = 64
"""Maximum levels of nested types. Schemas of events have five levels."""
_DEEPEST_JSON = 4 * DEEPEST
_MOST_TYPES = 10_000
"""Maximum number of types in one schema; a named type counts at each use. Schemas of events have about a hundred."""
_LONGEST = 1_000_000
"""
Maximum number of characters of a schema. Schemas of events have a few thousand. Registries accept a million by default.
"""

_LARGEST_FIXED = 1 << 31


def parse(text: str) -> tuple[Schema, dict[str, Schema]]:
    """
    Return the schema and its named types.

    Logical types are ignored, so that values are decoded as their underlying types. Raises :class:`IncompatibleSchema`.
    """
    names: dict[str, Schema] = {}
    if len(text) > _LONGEST:
        raise IncompatibleSchema(f"the writer's schema has more than {_LONGEST} characters")
    try:
        plain = json.loads(text, object_hook=_plain)
        _refuse_deep_json(plain)
        writer = fastavro.parse_schema(plain, named_schemas=names)
        _refuse_reserved(names)
        _refuse_bombs(writer, names)
    except (IncompatibleSchema, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 fastavro raises anything from KeyError to RecursionError on malformed schemas
        raise IncompatibleSchema(f"the writer's schema is not valid Avro: {type(error).__name__}") from None
    return writer, names


def definition(schema: Schema, names: dict[str, Schema]) -> Schema:
    """Return the definition of a named type. Return any other type unchanged."""
    return names.get(schema, schema) if isinstance(schema, str) else schema


def kind(schema: Schema) -> str:
    """Return the name of a type that is not a union: ``record``, ``string``, …"""
    name: str = schema["type"] if isinstance(schema, dict) else schema
    return name


def _plain(pairs: dict[str, Any]) -> dict[str, Any]:
    """Return ``pairs`` without logical types and without keys that fastavro would take for its own (``__…``)."""
    return {key: value for key, value in pairs.items() if key != "logicalType" and not key.startswith("__")}


def _refuse_deep_json(plain: Any) -> None:
    level = [plain]
    for _ in range(_DEEPEST_JSON):
        level = [inner for node in level for inner in _children(node)]
        if not level:
            return
    raise IncompatibleSchema("the JSON of the writer's schema is nested too deeply")


def _children(node: Any) -> Any:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _refuse_reserved(names: dict[str, Schema]) -> None:
    """
    Refuse types with the name of a primitive type. If a schema defined a type called ``null``, each ``null`` in the
    schema would mean this type.
    """
    for name in names:
        if name.rpartition(".")[2] in AVRO_TYPES:
            raise IncompatibleSchema("the writer's schema defines a type with the name of a primitive Avro type")


def _refuse_bombs(writer: Schema, names: dict[str, Schema]) -> None:
    open_types = [(writer, 0, False)]
    seen = 0
    while open_types:
        schema, depth, repeated = open_types.pop()
        seen += 1
        if depth > DEEPEST or seen > _MOST_TYPES:
            raise IncompatibleSchema("the writer's schema contains itself, is nested too deeply, or has too many types")
        type_ = definition(schema, names)
        _refuse_malformed(type_)
        if repeated and _takes_no_bytes(type_):
            raise IncompatibleSchema("the writer's schema has arrays or maps of items that take no bytes")
        repeats = repeated or (not isinstance(type_, list) and kind(type_) in ("array", "map"))
        open_types += [(inner, depth + 1, repeats) for inner in _inner_types(type_)]


def _refuse_malformed(type_: Schema) -> None:
    """
    Refuse a schema with a mistake that fastavro accepts when it parses the schema, but that would make decoding fail.
    """
    if kind(type_) == "fixed" and not (type(type_["size"]) is int and 0 <= type_["size"] < _LARGEST_FIXED):
        raise IncompatibleSchema("the writer's schema has a fixed whose size is not valid")
    if kind(type_) in _RECORDS and not all(isinstance(field["name"], str) for field in type_["fields"]):
        raise IncompatibleSchema("the writer's schema has a field whose name is not a string")


def _takes_no_bytes(type_: Schema) -> bool:
    if isinstance(type_, list):
        return False
    name = kind(type_)
    return name == "null" or (name == "fixed" and not type_["size"]) or (name in _RECORDS and not type_["fields"])


_RECORDS = ("record", "error")


def _inner_types(type_: Schema) -> Iterator[Schema]:
    if isinstance(type_, list):
        if any(isinstance(branch, list) for branch in type_):
            raise IncompatibleSchema("the writer's schema has a union directly inside a union")
        yield from (branch for branch in type_ if branch != "null")
    elif isinstance(type_, dict):
        yield from (field["type"] for field in type_.get("fields", ()))
        yield from (type_[inner] for inner in ("items", "values") if inner in type_)
