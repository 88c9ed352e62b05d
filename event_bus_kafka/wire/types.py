"""Walks over the classes of a signal: gives the Avro type of each annotation, or the reason why it has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from event_bus_kafka.wire.binary import Encode
from event_bus_kafka.wire.writer_schema import Schema


class Misfit(Exception):
    """A value does not fit its type, or a class cannot have one; ``path`` leads to it."""

    def __init__(self, path: tuple[str, ...], reason: str) -> None:
        super().__init__(".".join(path), reason)
        self.path = path
        self.reason = reason


@attrs.frozen(kw_only=True)
class AvroType:
    """The Avro form of Python values of one annotation."""

    schema: Schema
    expects: str
    """The type that a field is annotated with, as text for error messages."""
    encode: Encode = attrs.field(eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Scalar(AvroType):
    """A primitive, or an object that travels as its text."""

    parse: Callable[[str], Any] | None = None


@attrs.frozen(kw_only=True)
class Container(AvroType):
    """A list, a dict from str, or None beside something else."""

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
    """Its name in the constructor."""
    type: AvroType
    required: bool
    """Whether the constructor needs it."""
    keyword_only: bool = False

    @property
    def definition(self) -> dict[str, Schema]:
        definition = {"name": self.name, "type": self.type.schema}
        return definition | {"default": None} if isinstance(self.type, Optional) else definition


@attrs.frozen(kw_only=True)
class Record(AvroType):
    """An attrs class, or the event itself, whose ``build`` is ``dict``."""

    fields: tuple[Field, ...]
    build: Callable[..., Any]
