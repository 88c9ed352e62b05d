"""
Changes of schemas in plain Avro, including changes that classes cannot express. Tests compare how the registry and this
package judge each change.
"""

from __future__ import annotations

import json
from typing import Any

Field = dict[str, Any]


def field(name: str, kind: Any, **more: Any) -> Field:
    return {"name": name, "type": kind, **more}


def record(name: str, *fields: Field, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "Mode", "symbols": list(symbols), **more}


def text(*fields: Field) -> str:
    return json.dumps(record("CloudEvent", *fields, namespace="org.example.level.v1"))


def optional(name: str, kind: Any) -> Field:
    return field(name, ["null", kind], default=None)


ID = field("id", "long")
NEUTRAL = text(ID)
"""
The schema of an intermediate version, which has only the field ``id``. It is registered after the old version and
before the new version.
"""

_owner = record("Owner", field("name", "string"))
_fixed = {"type": "fixed", "name": "Sum", "size": 16}


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(values: Any) -> dict[str, Any]:
    return {"type": "map", "values": values}


_CHANGED: dict[str, tuple[list[Field], list[Field]]] = {
    "a required field is added": ([], [field("a", "long")]),
    "an optional field is added": ([], [optional("a", "long")]),
    "a field with a default is added": ([], [field("a", "long", default=5)]),
    "two fields are added, one without default": ([], [optional("a", "long"), field("b", "string")]),
    "a required field is renamed": ([field("a", "long")], [field("b", "long")]),
    "an optional field is renamed": ([optional("a", "long")], [optional("b", "long")]),
    "a field is renamed with an alias": ([field("a", "long")], [field("b", "long", aliases=["a"])]),
    "fields are reordered": ([field("a", "long"), field("b", "string")], [field("b", "string"), field("a", "long")]),
    "a required field becomes optional": ([field("a", "long")], [optional("a", "long")]),
    "a default goes": ([field("a", "long", default=5)], [field("a", "long")]),
    "a default changes": ([field("a", "long", default=5)], [field("a", "long", default=6)]),
    "int becomes long": ([field("a", "int")], [field("a", "long")]),
    "int becomes double": ([field("a", "int")], [field("a", "double")]),
    "long becomes float": ([field("a", "long")], [field("a", "float")]),
    "float becomes double": ([field("a", "float")], [field("a", "double")]),
    "string becomes bytes": ([field("a", "string")], [field("a", "bytes")]),
    "long becomes string": ([field("a", "long")], [field("a", "string")]),
    "boolean becomes long": ([field("a", "boolean")], [field("a", "long")]),
    "optional int becomes optional long": ([optional("a", "int")], [optional("a", "long")]),
    "optional long becomes optional string": ([optional("a", "long")], [optional("a", "string")]),
    "a union gains a branch": ([field("a", ["long", "string"])], [field("a", ["long", "string", "boolean"])]),
    "a union is reordered": ([field("a", ["long", "string"])], [field("a", ["string", "long"])]),
    "an enum gains a symbol": ([field("a", enum("HONOR"))], [field("a", enum("HONOR", "AUDIT"))]),
    "an enum with a default gains a symbol": (
        [field("a", enum("HONOR", default="HONOR"))],
        [field("a", enum("HONOR", "AUDIT", default="HONOR"))],
    ),
    "an enum is reordered": ([field("a", enum("HONOR", "AUDIT"))], [field("a", enum("AUDIT", "HONOR"))]),
    "an enum becomes a string": ([field("a", enum("HONOR"))], [field("a", "string")]),
    "a nested class gains a required field": (
        [field("owner", _owner)],
        [field("owner", record("Owner", field("name", "string"), field("age", "long")))],
    ),
    "a nested class gains an optional field": (
        [field("owner", _owner)],
        [field("owner", record("Owner", field("name", "string"), optional("age", "long")))],
    ),
    "an optional nested class gains a required field": (
        [optional("owner", _owner)],
        [optional("owner", record("Owner", field("name", "string"), field("age", "long")))],
    ),
    "a nested class is renamed": ([field("owner", _owner)], [field("owner", record("Person", *_owner["fields"]))]),
    "a nested class is renamed with an alias": (
        [field("owner", _owner)],
        [field("owner", record("Person", *_owner["fields"], aliases=["org.example.level.v1.Owner"]))],
    ),
    "a class is used twice": ([field("owner", _owner)], [field("owner", _owner), optional("heir", "Owner")]),
    "a list's items are widened": ([field("a", _array("int"))], [field("a", _array("long"))]),
    "a list's items become optional": ([field("a", _array("long"))], [field("a", _array(["null", "long"]))]),
    "a list's class gains a required field": (
        [field("a", _array(_owner))],
        [field("a", _array(record("Owner", field("name", "string"), field("age", "long"))))],
    ),
    "a list becomes a map": ([field("a", _array("long"))], [field("a", _map("long"))]),
    "a map's values change": ([field("a", _map("long"))], [field("a", _map("string"))]),
    "a value becomes a list": ([field("a", "string")], [field("a", _array("string"))]),
    "a class becomes a text": ([field("owner", _owner)], [field("owner", "string")]),
    "a fixed changes its size": ([field("a", _fixed)], [field("a", _fixed | {"size": 8})]),
    "nothing but documentation changes": ([field("a", "long")], [field("a", "long", doc="how many")]),
}

CHANGES = {title: (text(ID, *old), text(ID, *new)) for title, (old, new) in _CHANGED.items()}
