"""The codec of a signal, which is compiled from the signal's classes once per process."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from io import BytesIO
from operator import attrgetter, itemgetter
from typing import Any

import attrs
import fastavro
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import (
    ConfigurationError,
    DeserializationError,
    IncompatibleSchema,
    SerializationError,
    UnreadableValue,
)
from event_bus_kafka.kept import LONGEST_SCHEMA
from event_bus_kafka.wire import writer_schema
from event_bus_kafka.wire.avro import event_type_of
from event_bus_kafka.wire.decoded_size import DECODED_BYTES, SizeLimit
from event_bus_kafka.wire.record_decoder import quick_decoder
from event_bus_kafka.wire.resolution import Bind, binder
from event_bus_kafka.wire.types import AvroType, Misfit, Record, Scalar
from event_bus_kafka.wire.writer_schema import Schema

Decode = Callable[[bytes], dict[str, Any]]
_CHARACTERS_PER_LINE = 8
"""
Number of characters that a schema must have for each line of code of its compiled decoder. The cache of decoders limits
the characters of all schemas together, and so the lines of all decoders.
"""


@attrs.frozen(kw_only=True)
class KeyCodec:
    """Encodes one field of an event as the record's key."""

    path: str
    avro_name: str
    """Name of the primitive Avro type, which is also the last part of the key's subject."""
    schema: str
    get: Callable[[dict[str, Any]], Any] = attrs.field(repr=False)
    type: AvroType = attrs.field(repr=False)


@attrs.frozen
class EventCodec:
    """
    Encodes and decodes the data of one signal.

    ``schema``: JSON text that is registered in the schema registry. It equals the text that openedx-events generates,
    if openedx-events accepts the signal's types.
    """

    event_type: str
    avro_type: Record = attrs.field(repr=False)
    schema: str = attrs.field(repr=False)
    _from_json: dict[str, Bind] = attrs.field(repr=False, factory=dict)
    _keys: dict[str, KeyCodec] = attrs.field(repr=False, factory=dict, init=False)

    @property
    def record_name(self) -> str:
        """Full name of the Avro record."""
        return f"{self.event_type}.CloudEvent"

    def encode(self, data: dict[str, Any]) -> bytes:
        """Return the Avro bytes of event data. Raises :class:`SerializationError`, which names the field."""
        try:
            return self.avro_type.encode(data)
        except Misfit as misfit:
            raise SerializationError(self.event_type, ".".join(misfit.path), misfit.reason) from None

    def encode_key(self, data: dict[str, Any], key: KeyCodec) -> bytes:
        """Return the Avro bytes of the key field. Raises :class:`SerializationError`."""
        try:
            return key.type.encode(key.get(data))
        except Exception as error:  # noqa: BLE001 callers may pass anything as event data
            raise SerializationError(self.event_type, key.path, f"no key: {type(error).__name__}") from None

    def encode_key_value(self, value: Any, key: KeyCodec) -> bytes:
        """Return the Avro bytes of a given value of the key field. Raises :class:`SerializationError`."""
        try:
            return key.type.encode(value)
        except Exception as error:  # noqa: BLE001 callers may pass anything
            reason = f"no key: expected {key.type.expects}, got {type(value).__name__} ({type(error).__name__})"
            raise SerializationError(self.event_type, key.path, reason) from None

    def with_objects(self, data: dict[str, Any]) -> dict[str, Any]:
        """
        Return event data in which plain JSON dicts are converted to objects of the signal's attrs classes.

        Ping commands and replay scripts send plain dicts. Raises :class:`SerializationError`.
        """
        for value in data.values():
            if isinstance(value, dict):
                return {name: self._object(name, value) for name, value in data.items()}
        return data

    def _object(self, name: str, value: Any) -> Any:
        if not isinstance(value, dict) or name not in self._from_json:
            return value
        try:
            return self._from_json[name](value)
        except DeserializationError as error:
            raise SerializationError(self.event_type, error.field, error.reason) from None
        except (TypeError, AttributeError):
            raise SerializationError(self.event_type, name, "its JSON does not have the fields of its class") from None

    def key(self, path: str) -> KeyCodec:
        """
        Return the codec for the key at a dotted path into the event data.

        Raises :class:`ConfigurationError` if the path does not lead to a field of a primitive Avro type, or if the
        field may be None.
        """
        if path not in self._keys:
            self._keys[path] = _key_codec(self.event_type, self.avro_type, path)
        return self._keys[path]

    def decoder(self, schema: str, most: int = DECODED_BYTES) -> Decode:
        """
        Return a decoder of Avro bytes that were written with this schema (JSON text).

        ``most``: maximum bytes of memory for one value. Raises :class:`IncompatibleSchema`; the decoder itself raises
        :class:`UnreadableValue` or :class:`IncompatibleSchema`.
        """
        writer, names = writer_schema.parse(schema)
        if isinstance(writer, list):
            raise IncompatibleSchema("the writer's schema is a union, not a record")
        bind = binder(self.avro_type, writer, names)
        assert bind is not None  # records are always built
        limit = SizeLimit(writer, names, self.avro_type, most)
        read, harmless = _reader(writer, limit), limit.harmless

        def carefully(body: bytes) -> dict[str, Any]:
            event: dict[str, Any] = bind(read(body))
            return event

        quickly = None
        if len(schema) <= LONGEST_SCHEMA:  # longer: not cached, and would be compiled for each event
            quickly = quick_decoder(self.avro_type, writer, names, most_lines=len(schema) // _CHARACTERS_PER_LINE)

        def decode(body: bytes) -> dict[str, Any]:
            if quickly is not None and len(body) <= harmless:
                try:
                    return quickly(body)
                except Exception:  # noqa: BLE001 the careful decoder raises the proper error
                    pass
            return carefully(body)

        return decode


def plain_decoder(schema: str, most: int = DECODED_BYTES) -> Callable[[bytes], Any]:
    """
    Return a decoder of Avro bytes with this schema (JSON text) into plain values.

    ``most``: maximum bytes of memory for one value. Raises :class:`IncompatibleSchema`; the decoder itself raises
    :class:`UnreadableValue`.
    """
    writer, names = writer_schema.parse(schema)
    return _reader(writer, SizeLimit(writer, names, None, most))


@cache
def codec_for(signal: OpenEdxPublicSignal) -> EventCodec:
    """
    Return the codec of a signal.

    Raises :class:`SerializationError`, with the field and the reason, if events of the signal cannot be encoded.
    """
    try:
        avro_type = event_type_of(signal.event_type, signal.init_data)
    except Misfit as misfit:
        raise SerializationError(signal.event_type, ".".join(misfit.path), misfit.reason) from None
    return EventCodec(
        signal.event_type, avro_type, json.dumps(avro_type.schema, sort_keys=True), _json_binds(avro_type)
    )


def _json_binds(avro_type: Record) -> dict[str, Bind]:
    writer, names = writer_schema.parse(json.dumps(avro_type.schema))
    types = {field["name"]: field["type"] for field in writer["fields"]}
    records = [field for field in avro_type.fields if isinstance(field.type, Record)]
    binds = {field.name: binder(field.type, types[field.name], names, (field.name,)) for field in records}
    return {name: bind for name, bind in binds.items() if bind}


def _key_codec(event_type: str, avro_type: Record, path: str) -> KeyCodec:
    first, *rest = path.split(".")
    current: AvroType = avro_type
    for step in (first, *rest):
        fields = {field.name: field for field in current.fields} if isinstance(current, Record) else {}
        if step not in fields:
            known = f"it has {', '.join(fields)}" if fields else f"{current.expects} has no fields"
            raise ConfigurationError(f"{event_type}: event_key_field {path!r} fails at {step!r}: {known}.")
        field = fields[step]
        current = field.type
    if not isinstance(current, Scalar):
        reason = f"{current.expects} cannot be a key: name a required field of a simple type"
        raise ConfigurationError(f"{event_type}: event_key_field {path!r}: {reason}.")
    get_first = itemgetter(first)
    get_rest = attrgetter(".".join(rest)) if rest else None
    return KeyCodec(
        path=path,
        avro_name=current.schema,
        schema=json.dumps(field.definition, sort_keys=True),
        get=(lambda data: get_rest(get_first(data))) if get_rest else get_first,
        type=current,
    )


def _reader(writer: Schema, limit: SizeLimit) -> Callable[[bytes], Any]:
    read = fastavro.schemaless_reader
    harmless = limit.harmless

    def decode(body: bytes) -> Any:
        if len(body) > harmless:
            limit.check(body)
        stream = BytesIO(body)
        try:
            values = read(stream, writer, None)
        except MemoryError:
            raise  # the machine lacks memory: not the record's fault
        except Exception as error:  # noqa: BLE001 malformed bytes raise EOFError, IndexError, UnicodeDecodeError, …
            raise UnreadableValue(f"the bytes do not fit the writer's schema: {type(error).__name__}") from None
        if stream.tell() != len(body):
            raise UnreadableValue(f"{len(body) - stream.tell()} bytes after the end of the event")
        return values

    return decode
