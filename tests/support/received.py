"""Creates records from given bytes, and decodes these records."""

from __future__ import annotations

from math import inf
from typing import Any

from openedx_events.learning.signals import CERTIFICATE_CREATED
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import DeserializationError
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.codec import codec_for
from event_bus_kafka.wire.records import ConsumerRecord, Headers

CODEC = codec_for(CERTIFICATE_CREATED)
HEADERS: Headers = (("ce_type", CODEC.event_type.encode()), ("ce_id", b"12345678-1234-5678-1234-567812345678"))
FRAME = b"\0\0\0\0\1"


class Registry:
    """A registry that returns the same schema for every id."""

    def __init__(self, schema: str) -> None:
        self._schema = schema

    def id_of(self, subject: str, schema: str, until: float = inf) -> int:
        return 1

    def schema_of(self, schema_id: int) -> str:
        return self._schema


def record(value: bytes | None, headers: Headers = HEADERS, timestamp: int | None = None) -> ConsumerRecord:
    return ConsumerRecord(topic="t", partition=0, offset=0, timestamp=timestamp, key=None, value=value, headers=headers)


def event_in(value: bytes | None, schema: str = CODEC.schema, signal: OpenEdxPublicSignal = CERTIFICATE_CREATED) -> Any:
    """Decode a record with this value; return the event data. Return None if the record is refused."""
    try:
        return serde.deserialize(record(value), signal, Registry(schema)).data
    except DeserializationError:
        return None
