"""
Formats keys, data and headers of records for people. Data that may be personal is masked, except by :func:`decoded`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from secrets import token_bytes
from typing import Any

from event_bus_kafka.errors import DeserializationError, SchemaRegistryError
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.wire import cloudevents, serde

_HEX_START = 64
"""If a key or value cannot be decoded, at most this number of its bytes is shown."""
_secret = token_bytes(16)
"""
Secret with which keys are masked. It is random in each process, so keys that were masked by different processes cannot
be compared.
"""


def header(name: str, value: bytes | None) -> str | None:
    """
    Return the text of a header that this package defines. Any other header may contain event data, so only its size is
    returned.
    """
    if value is None:
        return None
    is_ours = name in cloudevents.HEADERS
    return value.decode(errors="replace") if is_ours else f"({len(value)} bytes)"


def decoded(framed: bytes | None, registry: serde.SchemaIds) -> Any:
    """
    Return a key or value, decoded by its writer's schema. If decoding fails, return the error, the size and the first
    bytes.
    """
    if framed is None:
        return None
    try:
        return serde.as_written(framed, registry)
    except (DeserializationError, SchemaRegistryError) as error:
        return {"undecodable": error_text(error), "bytes": len(framed), "begins": framed[:_HEX_START].hex(" ")}


def masked(framed: bytes | None, registry: serde.SchemaIds) -> Any:
    """
    Return the structure of a value: field names, and types in place of values. If decoding fails, return the error and
    the size.
    """
    if framed is None:
        return None
    try:
        return _masked(serde.as_written(framed, registry), _field_names(serde.schema_of(framed, registry)))
    except (DeserializationError, SchemaRegistryError) as error:
        return {"undecodable": error_text(error), "bytes": len(framed)}


def masked_key(framed: bytes | None) -> str | None:
    """Return a text that is equal for equal keys within this process, and reveals nothing else about the key."""
    if framed is None:
        return None
    return f"key-{blake2b(serde.without_frame(framed), key=_secret, digest_size=5).hexdigest()}"


def _masked(value: Any, fields: frozenset[str]) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return {
            name if name in fields else f"<key {number}>": _masked(inner, fields)
            for number, (name, inner) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [_masked(inner, fields) for inner in value]
    return f"<{type(value).__name__}>"


@lru_cache(maxsize=256)
def _field_names(schema: str) -> frozenset[str]:
    """
    Return the field names of all records in a schema. Any other name in a decoded dict is a key of a map, and thus
    event data.
    """
    return frozenset(_names(json.loads(schema)))


def _names(schema: Any) -> Iterator[str]:
    inner = schema if isinstance(schema, list) else []
    if isinstance(schema, dict):
        fields = schema.get("fields", [])
        yield from (field["name"] for field in fields)
        inner = [*fields, *(schema[part] for part in ("type", "items", "values") if part in schema)]
    for one in inner:
        yield from _names(one)
