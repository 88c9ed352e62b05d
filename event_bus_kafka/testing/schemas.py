"""Compares the schema of an event's class with a schema file that is stored next to the tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import attrs
import fastavro
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import IncompatibleSchema
from event_bus_kafka.schemas.changes import field_changes
from event_bus_kafka.testing.reasons import signal_of
from event_bus_kafka.wire import types
from event_bus_kafka.wire.codec import EventCodec, codec_for
from event_bus_kafka.wire.resolution import binder

_UPDATE = "EVENT_BUS_KAFKA_UPDATE_SCHEMAS"


def assert_schema_unchanged(event: OpenEdxPublicSignal | str, file: Path | str, /) -> None:
    """
    Raise AssertionError if the schema of a signal or event type differs from the file's schema. The message lists the
    changes, and says which services can still read which events.

    ``pytest --update-event-schemas`` writes the file. With another test runner, set EVENT_BUS_KAFKA_UPDATE_SCHEMAS=1.
    """
    __tracebackhide__ = True
    comparison = _compared(signal_of(event), Path(file))
    if comparison.changes:
        raise AssertionError(comparison.described)


def assert_schema_compatible(event: OpenEdxPublicSignal | str, file: Path | str, /) -> None:
    """
    Raise AssertionError unless a service with the file's schema and a service with the class's schema can each read the
    other's events. Other differences between the schemas are accepted.
    """
    __tracebackhide__ = True
    comparison = _compared(signal_of(event), Path(file))
    if comparison.obstacles:
        raise AssertionError(comparison.described)


@attrs.frozen
class _Comparison:
    """Compares the schema of a class with the schema in a file."""

    codec: EventCodec
    file: Path
    text: str

    @property
    def changes(self) -> list[str]:
        """The differences, one text per field."""
        return field_changes(self.text, self.codec.schema)

    @property
    def obstacles(self) -> list[str]:
        """Sentences that say why this service or a service with the file's schema cannot read the other's events."""
        found, names = [], dict[str, Any]()
        new = fastavro.parse_schema(json.loads(self.codec.schema), named_schemas=names)
        try:
            self.codec.decoder(self.text)
        except IncompatibleSchema as error:
            found.append(f"This service cannot read events of the old schema: {error}.")
        try:
            binder(_reader_of(json.loads(self.text), {}), new, names)
        except IncompatibleSchema as error:
            found.append(f"Services with the old schema cannot read events of the new one: {error}.")
        return found

    @property
    def described(self) -> str:
        """The changes and obstacles as text for users."""
        verdict = self.obstacles or ["Services with the old and the new schema can read each other's events."]
        return "\n".join(
            [
                f"The schema of {self.codec.event_type} is not that of {self.file}:",
                *(f"  {change}" for change in self.changes),
                *verdict,
                "If this is intended, update the file: pytest --update-event-schemas",
            ]
        )


def _compared(signal: OpenEdxPublicSignal, file: Path) -> _Comparison:
    __tracebackhide__ = True
    codec = codec_for(signal)
    if os.environ.get(_UPDATE):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(json.loads(codec.schema), indent=2, sort_keys=True) + "\n")
    if not file.exists():
        raise AssertionError(f"There is no {file}. Write it with pytest --update-event-schemas, and commit it.")
    return _Comparison(codec, file, file.read_text())


def _reader_of(schema: Any, names: dict[str, Any]) -> types.AvroType:
    """
    Return the Avro type that a service has if its classes have this schema. The type serves only for comparisons, never
    for encoding.
    """
    inner, nullable = _unwrapped(schema, names)
    kind = inner if isinstance(inner, str) else inner["type"]
    reader = _reader_of_one(inner, kind, names)
    if nullable:
        return types.Optional(schema=schema, expects=reader.expects, encode=_never, item=reader)
    return reader


def _reader_of_one(schema: Any, kind: str, names: dict[str, Any]) -> types.AvroType:
    if kind == "record":
        fields = tuple(_field_of(field, names) for field in schema["fields"])
        return types.Record(schema=schema, expects=schema["name"], encode=_never, fields=fields, build=dict)
    if kind == "array":
        item = _reader_of(schema["items"], names)
        return types.Array(schema=schema, expects="array", encode=_never, item=item)
    if kind == "map":
        return types.Map(schema=schema, expects="map", encode=_never, item=_reader_of(schema["values"], names))
    return types.Scalar(schema=kind, expects=kind, encode=_never)


def _field_of(field: dict[str, Any], names: dict[str, Any]) -> types.Field:
    kind = _reader_of(field["type"], names)
    return types.Field(name=field["name"], argument=field["name"], type=kind, required="default" not in field)


def _unwrapped(schema: Any, names: dict[str, Any]) -> tuple[Any, bool]:
    """
    Return the schema without null, and whether null was part of it. If the schema is a name, the named definition is
    returned instead.
    """
    branches = schema if isinstance(schema, list) else [schema]
    (inner,) = [branch for branch in branches if branch != "null"]
    inner = names.get(inner, inner) if isinstance(inner, str) else inner
    if isinstance(inner, dict) and "name" in inner:
        names[inner["name"]] = inner
    return inner, len(branches) > 1


def _never(_value: Any) -> bytes:
    raise NotImplementedError
