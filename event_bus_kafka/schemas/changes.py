"""Lists the differences between two schemas, field by field, for a reviewer."""

from __future__ import annotations

import json
from collections.abc import Iterator

from event_bus_kafka.schemas.named_types import JsonSchema, described, kind_of, names_in, resolved


def changes_between(old: str, new: str) -> list[str]:
    """
    Return one line for each field that differs between two schemas (JSON text). If no field differs, return one line
    that names another difference, or an empty list if the schemas are equal.
    """
    before, now = (json.loads(text) for text in (old, new))
    found = field_changes(old, new)
    if not found and list(_types(before)) != list(_types(now)):
        return ["the order of fields"]
    if not found and before != now:
        return ["names, aliases or documentation alone"]
    return found


def field_changes(old: str, new: str) -> list[str]:
    """Return one line per field that only one of the schemas has, or whose type or default differs."""
    before, now = (_types(json.loads(text)) for text in (old, new))
    return [
        f"{path}: was {before.get(path, 'absent')}, is {now.get(path, 'absent')}"
        for path in before | now
        if before.get(path) != now.get(path)
    ]


def _types(schema: JsonSchema) -> dict[str, str]:
    return dict(_fields(schema, names_in(schema), ""))


def _fields(
    schema: JsonSchema, names: dict[str, JsonSchema], path: str, inside: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """
    Yield the dotted path and the type of every field inside a type. The path of the items of a list or map ends with
    ``[]``.
    """
    schema = resolved(schema, names)
    if isinstance(schema, list):
        for branch in schema:
            yield from _fields(branch, names, path, inside)
        return
    kind = kind_of(schema)
    if kind in ("array", "map"):
        inner = schema["items" if kind == "array" else "values"]
        yield f"{path}[]", described(inner, names)
        yield from _fields(inner, names, f"{path}[]", inside)
    if kind == "record" and schema["name"] not in inside:
        for field in schema["fields"]:
            field_path = f"{path}.{field['name']}".lstrip(".")
            yield field_path, described(field["type"], names) + _default(field)
            yield from _fields(field["type"], names, field_path, (*inside, schema["name"]))


def _default(field: JsonSchema) -> str:
    """
    Return the text of a field's default. If the field is nullable and its default is null, as usual, return an empty
    text.
    """
    if "default" not in field or (field["default"] is None and isinstance(field["type"], list)):
        return ""
    return f" with default {json.dumps(field['default'])}"
