"""Avro schemas as plain JSON: a named type is defined at its first use, and later uses contain only its name."""

from __future__ import annotations

from typing import Any

JsonSchema = Any
"""A schema or type as JSON: a name, a list (union) or a dict."""

_NAMED = ("record", "error", "enum", "fixed")


def names_in(schema: JsonSchema) -> dict[str, JsonSchema]:
    """Return the named types of a schema, by name without namespace."""
    found: dict[str, JsonSchema] = {}
    open_types = [schema]
    while open_types:
        one = open_types.pop()
        if isinstance(one, list):
            open_types += one
        elif isinstance(one, dict):
            if one["type"] in _NAMED:
                found.setdefault(simple_name(one), one)
            open_types += [field["type"] for field in one.get("fields", ())]
            open_types += [one[inner] for inner in ("items", "values") if inner in one]
            if isinstance(one["type"], (dict, list)):
                open_types.append(one["type"])
    return found


def resolved(schema: JsonSchema, names: dict[str, JsonSchema]) -> JsonSchema:
    """Return the definition of a name. Return any other type without superfluous ``{"type": …}`` around it."""
    while isinstance(schema, dict) and isinstance(schema["type"], (dict, list)):
        schema = schema["type"]
    if isinstance(schema, str):
        return names.get(schema.rpartition(".")[2], schema)
    return schema


def kind_of(schema: JsonSchema) -> str:
    """Return the name of a type that is not a union: ``record``, ``string``, …"""
    return str(schema["type"] if isinstance(schema, dict) else schema)


def simple_name(schema: JsonSchema) -> str:
    """Return the name of a named type without its namespace."""
    return str(schema["name"]).rpartition(".")[2]


def described(schema: JsonSchema, names: dict[str, JsonSchema]) -> str:
    """Return a readable form of a type: ``long``, ``record Course``, ``string or null``."""
    schema = resolved(schema, names)
    if isinstance(schema, list):
        branches = [described(branch, names) for branch in schema]
        return " or ".join(sorted(branches, key=lambda branch: branch == "null"))
    kind = kind_of(schema)
    if kind == "enum":
        return f"enum {simple_name(schema)} ({', '.join(schema['symbols'])})"
    if kind == "fixed":
        return f"fixed {simple_name(schema)} ({schema['size']} bytes)"
    return f"{kind} {simple_name(schema)}" if kind in _NAMED else kind
