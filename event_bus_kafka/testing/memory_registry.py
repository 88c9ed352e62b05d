"""A registry that stores schemas in memory. The schemas' ids are valid in this process only."""

from __future__ import annotations

import json
from functools import cache
from math import inf
from typing import Any

import fastavro

from event_bus_kafka.sandbox.schema_store import SchemaStore

_FRAME = 5
"""Bytes of a frame, which consists of the magic byte and the schema id."""


class MemoryRegistry:
    """A schema registry in memory, with the methods needed to encode and decode records."""

    def __init__(self) -> None:
        self._store = SchemaStore()
        self.id_of = cache(self._id_of)

    def _id_of(self, subject: str, schema: str, until: float = inf) -> int:
        return self._store.register(subject, schema).id

    def schema_of(self, schema_id: int) -> str:
        return self._store.text(str(schema_id))


REGISTRY = MemoryRegistry()


def payload_of(framed: bytes) -> tuple[Any, bytes]:
    """Return the parsed schema of a framed key or value, and the Avro bytes after the frame."""
    schema = REGISTRY.schema_of(int.from_bytes(framed[1:_FRAME], "big"))
    return fastavro.parse_schema(json.loads(schema)), framed[_FRAME:]
