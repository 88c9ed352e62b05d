"""
Derives Avro types from the attrs classes of a signal. One traversal gives the schema and the encoder of each type.

If the installed openedx-events accepts a type, the type's schema here is exactly the text that openedx-events
generates. Therefore both texts are registered under the same subject and schema id. Types that only newer versions of
openedx-events accept (lists and dicts of attrs classes, nested containers) get the schemas of these versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, get_args, get_origin
from uuid import UUID

import attrs
from openedx_events.event_bus.avro.custom_serializers import DEFAULT_CUSTOM_SERIALIZERS
from openedx_events.event_bus.avro.types import SIMPLE_PYTHON_TYPE_TO_AVRO_MAPPING

from event_bus_kafka.kept import Kept
from event_bus_kafka.wire import binary
from event_bus_kafka.wire.record_encoder import EVENT_DATA, encoder
from event_bus_kafka.wire.types import Array, AvroType, Field, Map, Misfit, Optional, Record, Scalar
from event_bus_kafka.wire.writer_schema import DEEPEST, Schema

_PRIMITIVES: dict[str, binary.Encode] = {
    "boolean": binary.boolean,
    "long": binary.long,
    "double": binary.double,
    "string": binary.string,
    "bytes": binary.binary,
}
_CACHED_TEXTS = 4096
"""
Maximum number of objects that are cached by their texts, for each class whose objects are written as text. Objects of
datetime and UUID are not cached. Parsing a course key takes 10 µs, and events are about few courses at a time.
"""


def event_type_of(name: str, arguments: Mapping[str, Any]) -> Record:
    """
    Return the Avro type of an event: a record with one field per argument of the signal.

    Raises :class:`Misfit` if an annotation has no Avro type.
    """
    seen: dict[str, type] = {}
    fields = tuple(
        Field(name=key, argument=key, type=_walk(kind, (key,), seen), required=True) for key, kind in arguments.items()
    )
    schema = {
        "name": "CloudEvent",
        "type": "record",
        "doc": "Avro Event Format for CloudEvents created with openedx_events/schema",
        "fields": [field.definition for field in fields],
        "namespace": name,
    }
    encode = encoder(fields, itemgetter, EVENT_DATA)
    return Record(schema=schema, expects=EVENT_DATA, encode=encode, fields=fields, build=dict)


def _walk(annotation: Any, path: tuple[str, ...], seen: dict[str, type]) -> AvroType:
    if len(path) > DEEPEST:
        raise Misfit(path[:1], "it contains itself, or is nested too deeply")
    if annotation in _TEXTS:
        return _TEXTS[annotation]
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    origin = get_origin(annotation)
    if origin in (list, dict):
        return _container(annotation, origin, path, seen)
    if attrs.has(annotation):
        return _record(annotation, path, seen)
    raise Misfit(path, _why_not(annotation))


def _container(annotation: Any, origin: type, path: tuple[str, ...], seen: dict[str, type]) -> AvroType:
    *keys, inner = get_args(annotation)
    item = _walk(inner, path, seen)
    if isinstance(item, Record) and not item.fields:
        raise Misfit(path, f"{item.expects} has no fields: Avro would write only the number of items")
    expects = _name(annotation)
    if origin is list:
        schema = {"type": "array", "items": item.schema}
        return Array(schema=schema, expects=expects, encode=binary.array(item.encode), item=item)
    if keys != [str]:
        raise Misfit(path, f"{expects}: keys of Avro maps are str")
    schema = {"type": "map", "values": item.schema}
    return Map(schema=schema, expects=expects, encode=binary.mapping(item.encode), item=item)


def _record(cls: type[Any], path: tuple[str, ...], seen: dict[str, type]) -> Record:
    name = cls.__name__
    first = name not in seen
    if seen.setdefault(name, cls) is not cls:
        raise Misfit(path, f"two classes are called {name}: in {seen[name].__module__} and in {cls.__module__}")
    fields = tuple(_field(attribute, path, seen) for attribute in attrs.fields(cls) if attribute.init)
    schema: Schema = name
    if first:
        schema = {"name": name, "type": "record", "fields": [field.definition for field in fields]}
    return Record(schema=schema, expects=name, encode=encoder(fields, attrgetter, name), fields=fields, build=cls)


def _field(attribute: attrs.Attribute[Any], path: tuple[str, ...], seen: dict[str, type]) -> Field:
    kind = _walk(attribute.type, (*path, attribute.name), seen)
    if attribute.default is None:
        kind = Optional(
            schema=["null", kind.schema],
            expects=f"{kind.expects} or None",
            encode=binary.optional(kind.encode),
            item=kind,
        )
    return Field(
        name=attribute.name,
        argument=attribute.alias or attribute.name,
        type=kind,
        required=attribute.default is attrs.NOTHING,
        keyword_only=attribute.kw_only,
    )


def _text(cls: type[Any], write: Callable[[Any], str], read: Callable[[str], Any]) -> Scalar:
    """Return the type of objects that are written as text, converted in the same way as in openedx-events."""
    if cls not in (datetime, UUID):
        read = Kept(read, _CACHED_TEXTS).__getitem__

    def encode(value: Any) -> bytes:
        if isinstance(value, cls):
            return binary.string(write(value))
        if isinstance(value, str):
            read(value)  # raises here for a text that no consumer could read
            return binary.string(value)
        raise TypeError("neither the object nor its text")

    return Scalar(schema="string", expects=cls.__name__, encode=encode, parse=read)


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else repr(annotation)


def _why_not(annotation: Any) -> str:
    if annotation is None:
        return "it has no annotation"
    if isinstance(annotation, str):
        return f"its annotation is the text {annotation!r}: leave out `from __future__ import annotations`"
    if annotation in (list, dict):
        return f"{annotation.__name__} does not say what its items are: write {annotation.__name__}[…]"
    return f"{_name(annotation)} has no Avro type"


_SIMPLE = {
    kind: Scalar(schema=schema, expects=kind.__name__, encode=_PRIMITIVES[schema])
    for kind, schema in SIMPLE_PYTHON_TYPE_TO_AVRO_MAPPING.items()
}
_TEXTS = {
    serializer.cls: _text(serializer.cls, serializer.serialize, serializer.deserialize)
    for serializer in DEFAULT_CUSTOM_SERIALIZERS
}
