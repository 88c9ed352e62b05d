"""
Generates records that other systems may have written. It mutates schemas and bodies. A part of the results remains
valid.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from event_bus_kafka.wire.binary import long
from event_bus_kafka.wire.codec import codec_for
from tests.unit.wire.odd_schemas import READER

CORPUS = Path(__file__).parent / "corpus"
_PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "string", "bytes")
_NAMES = ("null", "string", "W", "R", "record", "a.b", "", "x" * 300, "array")
_LOGICAL = ("decimal", "date", "time-micros", "timestamp-millis", "uuid", "duration", "local-timestamp-micros")
_NUMBERS = (-(2**63), -(2**40), -5, -1, 0, 1, 2, 63, 64, 1000, 2**20, 2**31, 2**40, 2**62, 2**63 - 1)
_TEXTS = ("", "a", "course-v1:a+b+c", "2026-01-01T00:00:00+00:00", "9" * 400, "\U0001f600" * 50, "\0\x1b[2J\n")
_DEEPEST = 80


def seeds() -> list[str]:
    """Return the schema of READER, and the schemas in the files of ``corpus/``."""
    kept = [json.loads(path.read_text())["schema"] for path in sorted(CORPUS.glob("*.json"))]
    return [codec_for(READER).schema, *dict.fromkeys(text for text in kept if text)]


def kept_bodies() -> list[bytes]:
    """
    Return the values of the records in the files of ``corpus/``, without the first five bytes of each value. These
    bytes contain the schema id.
    """
    kept = [json.loads(path.read_text())["value"] for path in sorted(CORPUS.glob("*.json"))]
    return [b64decode(text)[5:] for text in kept if text]


def mutated_record(random: Random, schemas: list[str], bodies: list[bytes], longest: int) -> tuple[str, bytes]:
    """
    Return the text of a schema and the bytes of a body. The body usually fits the schema. If the body is not made from
    one of ``bodies``, it has at most about ``longest`` bytes.
    """
    text = schemas[0] if random.random() < 0.6 else random.choice(schemas)
    try:
        schema = json.loads(text)
    except ValueError:
        schema = text
    with suppress(RecursionError):  # it is deep enough
        for _ in range(random.choice((0, 1, 1, 2, 3, 6))):
            schema = _mutated(random, schema)
    if random.random() < 0.2 and isinstance(schema, dict) and isinstance(schema.get("fields"), list):
        schema["fields"].append({"name": "dense", "type": {"type": "array", "items": _dense(random)}})
    text = _text(random, schema)
    if random.random() < 0.1:
        return text, random.choice(bodies) + random.randbytes(random.choice((0, 1, 100)))
    return text, _damaged(random, b"".join(_Body(random, schema, longest).chunks()))


# Schemas


def _text(random: Random, schema: Any) -> str:
    try:
        text = json.dumps(schema)
    except (ValueError, RecursionError):
        return "[" * 10_000
    if random.random() < 0.03:
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(("", "{", '"', "1e999", "NaN", "[" * 5000)) + text[at + 1 :]
    return text


def _mutated(random: Random, schema: Any) -> Any:
    """
    Return a copy of a schema with at most one change. Usually the change affects a type in the schema, and sometimes
    another part.
    """
    schema = deepcopy(schema)
    holders = list(_places(schema))
    types = [(holder, key) for holder, key in holders if _is_type(holder, key)]
    if not holders:
        return _changed(random, schema)
    if types and random.random() < 0.9:
        holders = types
    holder, key = random.choice(holders)
    holder[key] = _changed(random, holder[key])
    return schema


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, dict):
        for key in node:
            yield node, key
            yield from _places(node[key])
    elif isinstance(node, list):
        for index in range(len(node)):
            yield node, index
            yield from _places(node[index])


def _is_type(holder: Any, key: Any) -> bool:
    """
    Return whether ``holder[key]`` is a complete type: the type of a field, or the type of the items of a list or a map.
    """
    return key in ("items", "values") or (key == "type" and "fields" not in holder and "size" not in holder)


def _name(random: Random) -> str:
    return random.choice(_NAMES) if random.random() < 0.1 else f"N{random.randrange(10**6)}"


def _changed(random: Random, old: Any) -> Any:
    match random.randrange(13):
        case 0:
            return random.choice(_PRIMITIVES)
        case 1:
            return {"type": "array", "items": old}
        case 2:
            return {"type": "map", "values": old}
        case 3:
            return ["null", old]
        case 4:
            odd: tuple[Any, ...] = (*_NAMES, None, -1, 2**70, 0.5, True, [], {})
            return random.choice(odd) if random.random() < 0.3 else random.choice(_PRIMITIVES)
        case 5:
            return {"type": "record", "name": _name(random), "fields": [{"name": "f", "type": old}]}
        case 6:
            return {"type": "fixed", "name": _name(random), "size": random.choice((1, 16, 16, 300, *_NUMBERS))}
        case 7:
            return {"type": "enum", "name": _name(random), "symbols": ["A", "B"]}
        case 8:
            scale = {"precision": random.choice((1, 2**40)), "scale": random.choice((0, 2**30))}
            return {"type": random.choice(_PRIMITIVES), "logicalType": random.choice(_LOGICAL)} | scale
        case 9:
            return _deep(random, old)
        case 10:
            return {"type": "record", "name": _name(random), "fields": _fields(random, old)}
        case 11 if isinstance(old, dict):
            return old | {random.choice(("__fastavro_parsed", "default", "namespace", "aliases", "doc")): old}
        case _:
            return [old, old] if random.random() < 0.5 else old


def _deep(random: Random, kind: Any) -> Any:
    levels = random.choice((5, 40, 60, 70, 300))
    way = random.randrange(3)
    for level in range(levels):
        fields = [{"name": "f", "type": kind}]
        ways = ({"type": "array", "items": kind}, {"type": "record", "name": f"D{level}", "fields": fields}, [kind])
        kind = ways[way]
    return kind


def _dense(random: Random) -> Any:
    """Return a type whose values have few bytes but need much memory."""
    kind: Any = random.choice(("boolean", "string", ["null", "int"], {"type": "array", "items": "int"}))
    for level in range(random.choice((1, 3, 20))):
        fields = [
            {"name": f"f{number}", "type": kind} for number in range(random.choice((1, 1, 3)) if level < 3 else 1)
        ]
        kind = {"type": "record", "name": f"B{level}{random.random()}".replace(".", ""), "fields": fields[:1]}
        kind["fields"] += [field | {"type": "boolean"} for field in fields[1:]]
    return random.choice((kind, {"type": "map", "values": kind}))


def _fields(random: Random, kind: Any) -> list[Any]:
    types = [random.choice((kind, *_PRIMITIVES)) for _ in range(random.choice((1, 3, 200)))]
    return [{"name": f"f{number}", "type": type_, "default": None} for number, type_ in enumerate(types)]


# Bodies


class _Body:
    """
    Writes a body that fits a schema. Some random numbers in the body are wrong. The body ends early
    if it would otherwise become too long or too deeply nested.
    """

    def __init__(self, random: Random, schema: Any, longest: int) -> None:
        self._random = random
        self._schema = schema
        self._named: dict[str, Any] = {}
        self._left = longest

    def chunks(self) -> Iterator[bytes]:
        for chunk in self._of(self._schema, 0):
            self._left -= len(chunk) + 1
            if self._left < 0:
                return
            yield chunk

    def _of(self, kind: Any, depth: int) -> Iterator[bytes]:
        if depth > _DEEPEST or self._left < 0:
            return
        if isinstance(kind, list):
            index = self._random.randrange(len(kind)) if kind else 0
            yield self._number(index)
            yield from self._of(kind[index] if kind else None, depth + 1)
        elif isinstance(kind, dict):
            yield from self._of_dict(kind, depth + 1)
        elif isinstance(kind, str) and kind in self._named:
            yield from self._of(self._named[kind], depth + 1)
        else:
            yield self._simple(kind)

    def _of_dict(self, kind: dict[str, Any], depth: int) -> Iterator[bytes]:
        if isinstance(kind.get("name"), str):
            self._named[kind["name"]] = kind
        match kind.get("type"):
            case "record" | "error" if isinstance(kind.get("fields"), list):
                for field in kind["fields"]:
                    yield from self._of(field.get("type") if isinstance(field, dict) else field, depth)
            case "array" | "map" as each:
                yield from self._repeated(kind.get("items", kind.get("values")), each == "map", depth)
            case "fixed":
                size = kind.get("size")
                yield bytes(min(size, 1000)) if type(size) is int and size > 0 else b""
            case "enum":
                yield self._number(self._random.randrange(2))
            case other:
                yield from self._of(other, depth)

    def _repeated(self, item: Any, is_map: bool, depth: int) -> Iterator[bytes]:
        random = self._random
        if random.random() < 0.3 and depth < 10:  # many, of few bytes
            one = b"".join(self._of(item, depth))
            count = random.choice((100, 1000, 1_000_000))
            fits = max(1, min(count, (self._left - 1000) // (len(one) + 2)))
            yield long(fits)
            yield (b"\0" * is_map + one) * fits
        else:
            count = random.choice((0, 1, 2))
            yield self._number(count)
            for _ in range(count):
                if is_map:
                    yield self._simple("string")
                yield from self._of(item, depth)
        yield b"\0"

    def _number(self, right: int) -> bytes:
        return long(self._random.choice(_NUMBERS) if self._random.random() < 0.01 else right)

    def _simple(self, kind: Any) -> bytes:
        match kind:
            case "null":
                return b""
            case "boolean":
                return self._random.choice((b"\0", b"\1", b"\2"))
            case "float":
                return struct.pack("<f", 0.5)
            case "double":
                return struct.pack("<d", float("nan"))
            case "string" | "bytes":
                text = self._random.choice(_TEXTS).encode() * self._random.choice((1, 1, 1, 1000))
                return self._number(len(text)) + text
        return long(self._random.choice(_NUMBERS))


def _damaged(random: Random, body: bytes) -> bytes:
    match random.randrange(12):
        case 0 if body:
            at = random.randrange(len(body))
            return body[:at] + random.randbytes(1) + body[at + 1 :]
        case 1:
            return body[: random.randrange(len(body) + 1)]
        case 2:
            return body + random.randbytes(3)
    return body
