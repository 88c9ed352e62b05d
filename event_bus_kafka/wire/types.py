"""The Avro types for the classes of a signal, and the error for a value or class that does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from event_bus_kafka.wire.binary import Encode
from event_bus_kafka.wire.writer_schema import Schema


class Misfit(Exception):
    """Raised if a value does not fit its Avro type, or if a class has no Avro type; ``path`` leads to the field."""

    def __init__(self, path: tuple[str, ...], reason: str) -> None:
        super().__init__(".".join(path), reason)
        self.path = path
        self.reason = reason


@attrs.frozen(kw_only=True)
class AvroType:
    """The Avro type for values of one Python annotation."""

    schema: Schema
    expects: str
    """The values that the type expects, as text for error messages: usually the annotation of the field."""
    encode: Encode = attrs.field(eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Scalar(AvroType):
    """A primitive type, or an object that is written as text."""

    parse: Callable[[str], Any] | None = None


@attrs.frozen(kw_only=True)
class Container(AvroType):
    """A list, a dict with str keys, or a union with null."""

    item: AvroType


class Array(Container):
    pass


class Map(Container):
    pass


class Optional(Container):
    pass


@attrs.frozen(kw_only=True)
class Field:
    name: str
    argument: str
    """The name of the constructor's argument for the field."""
    type: AvroType
    required: bool
    """Whether the constructor has no default for the field."""
    keyword_only: bool = False

    @property
    def definition(self) -> dict[str, Schema]:
        definition = {"name": self.name, "type": self.type.schema}
        return definition | {"default": None} if isinstance(self.type, Optional) else definition


@attrs.frozen(kw_only=True)
class Record(AvroType):
    """The Avro record for an attrs class, or for the whole event; for the event, ``build`` is ``dict``."""

    fields: tuple[Field, ...]
    build: Callable[..., Any]
