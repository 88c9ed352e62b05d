"""Converts an :class:`Event` to a :class:`ProducerRecord`, and a :class:`ConsumerRecord` to an ``Event``."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from openedx_events.data import EventsMetadata
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import IncompatibleSchema, SerializationError, UnreadableValue
from event_bus_kafka.kept import KeptSchemas
from event_bus_kafka.wire import cloudevents
from event_bus_kafka.wire.codec import Decode, EventCodec, KeyCodec, codec_for, plain_decoder
from event_bus_kafka.wire.decoded_size import DECODED_BYTES
from event_bus_kafka.wire.deletion import record_deleted
from event_bus_kafka.wire.records import (
    ConsumerRecord,
    Destination,
    EncodedEvent,
    Event,
    ProducerRecord,
    SubjectSchema,
)

_FRAME = struct.Struct(">bI")
"""Magic byte 0 and the schema id (the Confluent wire format)."""
FRAME_BYTES = _FRAME.size


_decoders: KeptSchemas[Decode] = KeptSchemas()
_plain_decoders: KeptSchemas[Callable[[bytes], Any]] = KeptSchemas()


class SchemaIds(Protocol):
    """The methods of a schema registry's client with which events are encoded and decoded."""

    def id_of(self, subject: str, schema: str, until: float = inf) -> int: ...

    def schema_of(self, schema_id: int) -> str: ...


def encode(event: Event, *, topic: str, key_field: str) -> EncodedEvent:
    """
    Encode an event for a topic (full name). Needs no network.

    Raises :class:`SerializationError` if this event, or any event of its type, cannot be encoded;
    :class:`ConfigurationError` if ``key_field`` is wrong.
    """
    codec, key, destination = _destination(event.signal, topic, key_field)
    data = codec.with_objects(event.data)
    event_id = str(event.metadata.id)
    return EncodedEvent(
        destination,
        codec.encode_key(data, key),
        codec.encode(data),
        cloudevents.to_headers(event.metadata, event_id),
        event_id,
    )


def encode_tombstone(
    signal: OpenEdxPublicSignal, key: Any, metadata: EventsMetadata, *, topic: str, key_field: str
) -> EncodedEvent:
    """
    Encode a tombstone for a topic (full name). The tombstone gets the same encoded key and the same names of headers as
    an event of ``signal`` with this key.

    Raises as :func:`encode` does.
    """
    codec, key_codec, destination = _destination(signal, topic, key_field)
    event_id = str(metadata.id)
    return EncodedEvent(
        destination=destination,
        key=codec.encode_key_value(key, key_codec),
        value=None,
        headers=cloudevents.to_headers(metadata, event_id),
        event_id=event_id,
    )


@lru_cache(maxsize=1024)
def _destination(signal: OpenEdxPublicSignal, topic: str, key_field: str) -> tuple[EventCodec, KeyCodec, Destination]:
    codec = codec_for(signal)
    key = codec.key(key_field)
    destination = Destination(
        topic=topic,
        event_type=codec.event_type,
        key=SubjectSchema(f"{topic}-{key.avro_name}", key.schema),
        value=SubjectSchema(f"{topic}-{codec.record_name}", codec.schema),
    )
    return codec, key, destination


def frame(encoded: EncodedEvent, registry: SchemaIds, until: float = inf) -> ProducerRecord:
    """
    Return the record to send. Raises :class:`SchemaRegistryError` if a schema id cannot be obtained by ``until``
    (monotonic).
    """
    destination, body = encoded.destination, encoded.value
    key = _framed(encoded.key, destination.key, registry, until)
    value = None if body is None else _framed(body, destination.value, registry, until)
    return ProducerRecord(destination.topic, key, value, encoded.headers)


class Framer:
    """Adds the schema ids of one registry to encoded events; caches the bytes before keys and values."""

    def __init__(self, registry: SchemaIds) -> None:
        self._registry = registry
        self._known: dict[str, tuple[bytes, bytes]] = {}
        """
        Cache: digest of a destination → the bytes before each key, and before each value. A service has few
        destinations.
        """

    def record_of(self, encoded: EncodedEvent, until: float = inf) -> ProducerRecord:
        """Return the record to send. Raises as :func:`frame` does."""
        destination, body = encoded.destination, encoded.value
        known = self._known.get(destination.digest)
        if known is None:
            if body is None:  # a tombstone needs no schema id for its value
                return frame(encoded, self._registry, until)
            known = self._known[destination.digest] = frames_of(destination, self._registry, until)
        value = None if body is None else known[1] + body
        return ProducerRecord(destination.topic, known[0] + encoded.key, value, encoded.headers)


def frames_of(destination: Destination, registry: SchemaIds, until: float = inf) -> tuple[bytes, bytes]:
    """Return the bytes before each key and before each value of a destination. Raises as :func:`frame` does."""
    return _framed(b"", destination.key, registry, until), _framed(b"", destination.value, registry, until)


def event_type(record: ConsumerRecord) -> str:
    """Return the event type from a record's headers. Raises :class:`InvalidHeaders`."""
    return cloudevents.event_type(record.headers)


def deserialize(
    record: ConsumerRecord, signal: OpenEdxPublicSignal, registry: SchemaIds, most: int = DECODED_BYTES
) -> Event:
    """
    Return the event of a record that is not a tombstone. ``most``: maximum bytes of memory that the event may use.

    Raises :class:`DeserializationError` if the record can never be read, and :class:`SchemaRegistryError` if the schema
    cannot be obtained now.
    """
    metadata, event_id = cloudevents.to_metadata_and_id(record.headers, record.timestamp)
    value = record.value or b""
    schema = registry.schema_of(_schema_id(value))
    key = signal, schema, most
    decode = _decoders.get(key) or _decoders.keep(key, _decoder(signal, schema, most), schema)
    return Event(signal, decode(value[_FRAME.size :]), metadata, event_id)


def deserialize_tombstone(record: ConsumerRecord, topic: str, registry: SchemaIds, most: int = DECODED_BYTES) -> Event:
    """
    Return the event of a tombstone with a key. ``topic``: without prefix; ``most``: maximum bytes of memory.

    Raises as :func:`deserialize` does.
    """
    metadata = metadata_of_tombstone(record)
    return Event(
        signal=record_deleted,
        data={"topic": topic, "key": as_written(record.key or b"", registry, most)},
        metadata=metadata,
    )


def metadata_of_tombstone(record: ConsumerRecord) -> EventsMetadata:
    """
    Return the metadata of a tombstone. If the headers ``ce_type`` and ``ce_id`` are both missing, the event type is
    empty, and the id is derived from the record's coordinates and timestamp.

    Raises :class:`InvalidHeaders`.
    """
    headers = record.headers
    if not {"ce_type", "ce_id"} & {name for name, _ in headers}:
        event_id = uuid5(NAMESPACE_URL, f"{record.coordinates}:{record.timestamp}")  # a new topic has other timestamps
        headers = (*headers, ("ce_type", b""), ("ce_id", str(event_id).encode()))
    return cloudevents.to_metadata(headers, record.timestamp)


def as_written(framed: bytes, registry: SchemaIds, most: int = DECODED_BYTES) -> Any:
    """
    Return a key or value, decoded with its writer's schema only, as texts, numbers, lists and dicts.

    Raises :class:`DeserializationError` or :class:`SchemaRegistryError`.
    """
    schema = schema_of(framed, registry)
    key = schema, most
    decode = _plain_decoders.get(key) or _plain_decoders.keep(key, plain_decoder(schema, most), schema)
    return decode(without_frame(framed))


def schema_of(framed: bytes, registry: SchemaIds) -> str:
    """Return the writer's schema of a key or value. Raises as :func:`as_written` does."""
    return registry.schema_of(_schema_id(framed))


def without_frame(framed: bytes) -> bytes:
    """Return the bytes after the schema id."""
    return framed[_FRAME.size :]


def _schema_id(framed: bytes) -> int:
    if len(framed) < _FRAME.size:
        raise UnreadableValue(f"{len(framed)} bytes are too few for a schema id")
    magic, schema_id = _FRAME.unpack_from(framed)
    if magic != 0:
        raise UnreadableValue(f"starts with byte {magic & 0xFF}, not with 0")
    return int(schema_id)


def _framed(body: bytes, writer: SubjectSchema, registry: SchemaIds, until: float = inf) -> bytes:
    return _FRAME.pack(0, registry.id_of(writer.subject, writer.schema, until)) + body


def _decoder(signal: OpenEdxPublicSignal, writer_schema: str, most: int) -> Decode:
    try:
        codec = codec_for(signal)
    except SerializationError as error:
        raise IncompatibleSchema(f"this service's class cannot be read: {error.reason}", field=error.field) from None
    return codec.decoder(writer_schema, most)
