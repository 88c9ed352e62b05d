"""Lists the event types that this service sends and receives, according to its settings and code."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

import attrs
from openedx_events.tooling import OpenEdxPublicSignal, load_all_signals

from event_bus_kafka.conf.routes import routes
from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.wire.codec import codec_for
from event_bus_kafka.wire.types import Array, AvroType, Container, Map, Record


@attrs.frozen(kw_only=True)
class EventTypeView:
    """An event type that this service sends or receives."""

    event_type: str
    routes: Sequence[Route]
    """The event type's topics in the settings, enabled or not; empty: this service does not send the type."""
    receivers: Sequence[str]
    """Names of the receivers connected to the event type's signal."""


@attrs.frozen(kw_only=True)
class FieldView:
    """A field of an event type's data."""

    path: str
    """
    Path of the field: names separated by dots. ``[]`` stands for the items of a list, ``{}`` for the values of a dict.
    """
    expects: str
    """The field's type as text, for example ``str or None``."""
    required: bool


def event_types() -> list[EventTypeView]:
    """
    Return the event types that have a route or a receiver, sorted by name. Raises :class:`ConfigurationError` if a
    route is wrong.
    """
    load_all_signals()
    by_type: defaultdict[str, list[Route]] = defaultdict(list)
    for route in routes():
        by_type[route.event_type].append(route)
    listening = {one.event_type: dispatch.names_of(dispatch.receivers_of(one)) for one in dispatch.signals()}
    names = {*by_type, *(name for name, receivers in listening.items() if receivers)}
    return [
        EventTypeView(event_type=name, routes=by_type.get(name, []), receivers=listening.get(name, []))
        for name in sorted(names)
    ]


def fields_of(event_type: str) -> list[FieldView]:
    """
    Return the fields of an event type; an empty list if this service has no signal of the type. Raises
    :class:`SerializationError` if the type's data classes cannot be encoded.
    """
    signal = dispatch.registered_signal(event_type)
    return list(_fields(codec_for(signal).avro_type, "")) if signal else []


def schema_of(event_type: str) -> str:
    """Return an event type's schema as indented JSON; empty if this service has no signal of the type."""
    signal: OpenEdxPublicSignal | None = dispatch.registered_signal(event_type)
    return json.dumps(json.loads(codec_for(signal).schema), indent=2) if signal else ""


def _fields(record: Record, prefix: str) -> Iterator[FieldView]:
    for field in record.fields:
        path = prefix + field.name
        yield FieldView(path=path, expects=field.type.expects, required=field.required)
        yield from _inside(field.type, path)


def _inside(avro_type: AvroType, path: str) -> Iterator[FieldView]:
    if isinstance(avro_type, Record):
        yield from _fields(avro_type, f"{path}.")
    elif isinstance(avro_type, Container):
        mark = "[]" if isinstance(avro_type, Array) else "{}" if isinstance(avro_type, Map) else ""
        yield from _inside(avro_type.item, path + mark)
