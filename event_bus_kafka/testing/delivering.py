"""Delivers an event to this service's receivers in the same way as a worker."""

from __future__ import annotations

import json
from contextvars import Context
from io import BytesIO
from math import inf
from pathlib import Path
from typing import Any

import attrs
import fastavro
from fastavro.validation import ValidationError, validate
from openedx_events.data import EventsMetadata
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.conf.routes import full_topic, short_topic
from event_bus_kafka.dispatching import cleanup, dispatch
from event_bus_kafka.dispatching.replay_context import replay_context
from event_bus_kafka.errors import DeserializationError, SerializationError
from event_bus_kafka.testing.captured import CapturedEvent, CapturedEvents
from event_bus_kafka.testing.memory_registry import REGISTRY
from event_bus_kafka.testing.reasons import signal_of
from event_bus_kafka.wire import cloudevents, serde
from event_bus_kafka.wire.codec import codec_for
from event_bus_kafka.wire.deletion import record_deleted
from event_bus_kafka.wire.records import ConsumerRecord, Destination, EncodedEvent, Event, SubjectSchema

_KINDS = {bool: "boolean", int: "long", float: "double"}
"""Avro types of keys by Python type; keys of all other types are strings."""


def deliver(
    event: OpenEdxPublicSignal | str | CapturedEvent | ConsumerRecord,
    /,
    *,
    metadata: EventsMetadata | None = None,
    schema: Path | str | None = None,
    replay: bool = False,
    **data: Any,
) -> Event:
    """
    Decode an event and call its receivers, in the same way as a worker. Return the decoded event.

    ``event``: a captured event, a record, or a signal or event type. For a signal or event type, ``data`` is first
    encoded into a record. For ``record_deleted``, ``data`` is ``topic`` (without prefix) and ``key``. ``schema``: a
    file with the schema of the sending service. It is needed only if this schema differs from the schema of this
    service's class. With ``schema``, ``data`` may contain plain dicts. ``replay``: whether ``is_replay()`` returns True
    in the receivers, as in a replay.

    Raises ReceiversFailed with the receivers' exceptions, DeserializationError if this service cannot read the record,
    and AssertionError if the event has no receiver, its signal is disabled, or it is a tombstone without a key.
    """
    __tracebackhide__ = True
    text = Path(schema).read_text() if schema is not None else None
    if isinstance(event, (CapturedEvent, ConsumerRecord)):
        if data or metadata:
            raise TypeError("A record has its data and metadata already.")
        record = event.record if isinstance(event, CapturedEvent) else event
    else:
        record = _record(signal_of(event), metadata, text, data)
    return _dispatched(
        record, REGISTRY if text is None else _OneSchema(text), replay_context() if replay else Context()
    )


def _dispatched(record: ConsumerRecord, registry: serde.SchemaIds, context: Context) -> Event:
    __tracebackhide__ = True
    is_tombstone = record.value is None
    if is_tombstone and record.key is None:
        raise AssertionError("A tombstone without a key is skipped by workers.")
    signal = record_deleted if is_tombstone else signal_of(serde.event_type(record))
    receivers = _receivers_of(signal)
    try:
        if is_tombstone:
            event = serde.deserialize_tombstone(record, short_topic(record.topic), registry)
        else:
            event = serde.deserialize(record, signal, registry)
    except DeserializationError as error:
        error.add_note(f"This service cannot read this record of type {signal.event_type}.")
        raise error.with_traceback(None) from None
    cleanup.clean()
    try:
        failed = context.run(dispatch.dispatch, event, receivers)
    finally:
        cleanup.clean()
    if failed:
        raise dispatch.failure_of(failed)
    return event


def _receivers_of(signal: OpenEdxPublicSignal) -> list[dispatch.Receiver]:
    __tracebackhide__ = True
    receivers = [one for one in dispatch.receivers_of(signal) if not _is_ours(one)]
    if not dispatch.is_enabled(signal):
        raise AssertionError(
            f"The signal of {signal.event_type} is disabled here: OpenEdxEventsTestMixin needs it in "
            "ENABLED_OPENEDX_EVENTS."
        )
    if not receivers:
        raise AssertionError(
            f"No receiver is connected to the signal of {signal.event_type}: workers skip its records. Is the module "
            "of the receiver imported, as in AppConfig.ready()?"
        )
    return receivers


def _is_ours(receiver: dispatch.Receiver) -> bool:
    return isinstance(getattr(receiver.call, "__self__", None), CapturedEvents)


def _record(
    signal: OpenEdxPublicSignal, metadata: EventsMetadata | None, schema: str | None, data: dict[str, Any]
) -> ConsumerRecord:
    if signal is record_deleted:
        return _tombstone(metadata, **data)
    metadata = metadata or signal.generate_signal_metadata()
    codec = codec_for(signal)
    body = _encoded(signal, data) if schema is None else _encoded_with(schema, signal, data)
    destination = Destination(
        topic="delivered",
        event_type=codec.event_type,
        key=SubjectSchema("", '"null"'),  # workers do not decode keys
        value=SubjectSchema(codec.record_name, schema or codec.schema),
    )
    event_id = str(metadata.id)
    headers = cloudevents.to_headers(metadata, event_id)
    encoded = EncodedEvent(destination=destination, key=b"", value=body, headers=headers, event_id=event_id)
    framed = serde.frame(encoded, REGISTRY)
    return ConsumerRecord(
        topic=framed.topic, partition=0, offset=0, timestamp=None, key=None, value=framed.value, headers=headers
    )


def _tombstone(metadata: EventsMetadata | None, *, topic: str, key: Any) -> ConsumerRecord:
    kind = _KINDS.get(type(key), "string")
    schema = json.dumps({"name": "key", "type": kind})
    stream = BytesIO()
    fastavro.schemaless_writer(stream, {"type": kind}, str(key) if kind == "string" else key)
    metadata = metadata or EventsMetadata(event_type="")
    encoded = EncodedEvent(
        destination=Destination(
            topic=full_topic(topic),
            event_type=metadata.event_type,
            key=SubjectSchema(f"{topic}-{kind}", schema),
            value=SubjectSchema("", '"null"'),
        ),
        key=stream.getvalue(),
        value=None,
        headers=cloudevents.to_headers(metadata, str(metadata.id)),
        event_id=str(metadata.id),
    )
    framed = serde.frame(encoded, REGISTRY)
    return ConsumerRecord(
        topic=framed.topic, partition=0, offset=0, timestamp=None, key=framed.key, value=None, headers=encoded.headers
    )


def _encoded(signal: OpenEdxPublicSignal, data: dict[str, Any]) -> bytes:
    unknown = set(data) - set(signal.init_data)
    if unknown:
        raise SerializationError(
            signal.event_type, min(unknown), f"no argument of the signal, which has {', '.join(signal.init_data)}"
        )
    codec = codec_for(signal)
    return codec.encode(codec.with_objects(data))


def _encoded_with(schema: str, signal: OpenEdxPublicSignal, data: dict[str, Any]) -> bytes:
    """Encode ``data`` with ``schema``, the schema of the sending service."""
    if any(attrs.has(type(value)) for value in data.values()):
        own, body = codec_for(signal).schema, _encoded(signal, data)
        plain: Any = fastavro.schemaless_reader(BytesIO(body), fastavro.parse_schema(json.loads(own)), None)
    else:
        plain = data
    writer, stream = fastavro.parse_schema(json.loads(schema)), BytesIO()
    try:
        validate(plain, writer, raise_errors=True)
    except ValidationError as error:
        raise SerializationError(signal.event_type, "", f"its data does not match the given schema: {error}") from None
    fastavro.schemaless_writer(stream, writer, plain)
    return stream.getvalue()


@attrs.frozen
class _OneSchema:
    """A schema registry that returns the same schema for all ids."""

    schema: str

    def id_of(self, subject: str, schema: str, until: float = inf) -> int:
        return REGISTRY.id_of(subject, schema)

    def schema_of(self, schema_id: int) -> str:
        return self.schema
