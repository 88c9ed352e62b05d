"""Encodes an event into the bytes of a record, with each of the compared packages."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import fastavro
from confluent_kafka.serialization import MessageField, SerializationContext
from edx_event_bus_kafka.internal.producer import extract_event_key, get_serializers
from edx_event_bus_kafka.internal.utils import _get_headers_from_metadata
from openedx_events.event_bus.avro.serializer import AvroSignalSerializer

from benchmarks.events import KEY_FIELD, SIGNAL, Sample
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.codec import codec_for
from event_bus_kafka.wire.records import Event, ProducerRecord

FRAME = struct.Struct(">bI")


def record_of(topic: str, sample: Sample, schemas: serde.SchemaIds) -> ProducerRecord:
    """Return the record that this package would send."""
    data, metadata = sample
    event = Event(signal=SIGNAL, data=data, metadata=metadata)
    return serde.frame(serde.encode(event, topic=topic, key_field=KEY_FIELD), schemas)


def published_record(topic: str, sample: Sample) -> tuple[bytes, bytes]:
    """
    Return the key and the value as edx-event-bus-kafka's producer encodes them. The headers are made, too, so that
    their cost is included.
    """
    data, metadata = sample
    key = extract_event_key(data, KEY_FIELD)
    headers = _get_headers_from_metadata(event_metadata=metadata)
    of_key, of_value = get_serializers(SIGNAL, KEY_FIELD)
    return (
        of_key(key, SerializationContext(topic, MessageField.KEY, headers)),
        of_value(data, SerializationContext(topic, MessageField.VALUE, headers)),
    )


class BareEncoder:
    """
    Encodes events at the minimal cost of Avro: fastavro encodes prepared dicts, and a prepared frame precedes the
    bytes.
    """

    def __init__(self, topic: str, schemas: serde.SchemaIds) -> None:
        codec, self._serializer = codec_for(SIGNAL), AvroSignalSerializer(SIGNAL)
        self._key = codec.key(KEY_FIELD)
        self._key_frame = FRAME.pack(0, schemas.id_of(f"{topic}-{self._key.avro_name}", self._key.schema))
        self._value_frame = FRAME.pack(0, schemas.id_of(f"{topic}-{codec.record_name}", codec.schema))
        self._key_schema = fastavro.parse_schema("long")
        self._value_schema = fastavro.parse_schema(self._serializer.schema)

    def ready(self, sample: Sample) -> tuple[Any, Any]:
        """Return the arguments of :meth:`encode` for ``sample``."""
        data, _ = sample
        return self._key.get(data), self._serializer.to_dict(data)

    def encode(self, key: Any, value: Any) -> tuple[bytes, bytes]:
        """Return the key and the value as bytes, with their frames."""
        key_bytes, value_bytes = BytesIO(), BytesIO()
        key_bytes.write(self._key_frame)
        value_bytes.write(self._value_frame)
        fastavro.schemaless_writer(key_bytes, self._key_schema, key)
        fastavro.schemaless_writer(value_bytes, self._value_schema, value)
        return key_bytes.getvalue(), value_bytes.getvalue()
