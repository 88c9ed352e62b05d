"""Sending, by each variant: from ready events to Kafka's confirmation of the last one."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import edx_event_bus_kafka
import fastavro
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from openedx_events.event_bus import EventBusProducer
from openedx_events.event_bus.avro.serializer import AvroSignalSerializer

import event_bus_kafka
from benchmarks.events import KEY_FIELD, SIGNAL, Sample
from benchmarks.measurements import BARE, OURS, PUBLISHED
from event_bus_kafka.conf.client_options import producer_options, schema_registry_options
from event_bus_kafka.wire.cloudevents import to_headers
from event_bus_kafka.wire.codec import codec_for

Send = Callable[[str, list[Sample]], Callable[[], None]]
"""Makes ready for a topic and events; what it returns sends them and waits until Kafka has confirmed all."""


def ours() -> Send:
    """``producer.send``, as openedx-events' handler calls it."""
    return _through(event_bus_kafka.create_producer())


def published() -> Send:
    """The same of edx-event-bus-kafka."""
    return _through(edx_event_bus_kafka.create_producer())


def bare() -> Send:
    """
    What Kafka and Avro alone cost, with the same bytes and client options: fastavro from ready dicts, ready headers.
    """
    producer = Producer(producer_options())
    registry = SchemaRegistryClient(schema_registry_options())

    def ready(topic: str, samples: list[Sample]) -> Callable[[], None]:
        codec, serializer = codec_for(SIGNAL), AvroSignalSerializer(SIGNAL)
        key = codec.key(KEY_FIELD)
        value_frame = _frame(registry.register_schema(f"{topic}-{codec.record_name}", Schema(codec.schema, "AVRO")))
        key_frame = _frame(registry.register_schema(f"{topic}-{key.avro_name}", Schema(key.schema, "AVRO")))
        value_schema, key_schema = fastavro.parse_schema(serializer.schema), fastavro.parse_schema("long")
        records: list[tuple[Any, ...]] = [
            (
                key.get(data),
                serializer.to_dict(data),
                [*to_headers(metadata, str(metadata.id))],
            )  # made ready: not measured
            for data, metadata in samples
        ]

        def send() -> None:
            for number, value, headers in records:
                key_bytes, value_bytes = BytesIO(), BytesIO()
                key_bytes.write(key_frame)
                value_bytes.write(value_frame)
                fastavro.schemaless_writer(key_bytes, key_schema, number)
                fastavro.schemaless_writer(value_bytes, value_schema, value)
                producer.produce(topic, key=key_bytes.getvalue(), value=value_bytes.getvalue(), headers=headers)
                producer.poll(0)
            producer.flush()

        return send

    return ready


def _through(producer: EventBusProducer) -> Send:
    def ready(topic: str, samples: list[Sample]) -> Callable[[], None]:
        def send() -> None:
            for data, metadata in samples:
                producer.send(
                    signal=SIGNAL, topic=topic, event_key_field=KEY_FIELD, event_data=data, event_metadata=metadata
                )
            producer.prepare_for_shutdown()

        return send

    return ready


def _frame(schema_id: int) -> bytes:
    return struct.pack(">bI", 0, schema_id)


SENDERS: dict[str, Callable[[], Any]] = {OURS: ours, PUBLISHED: published, BARE: bare}
