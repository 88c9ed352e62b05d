"""Two versions of an event, and what may become of it between a service with one and a service with the other."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import attrs
import openedx_events
from openedx_events.tooling import OpenEdxPublicSignal

Arguments = dict[str, Any]
"""The arguments of a signal and their types: one version of an event."""
Values = dict[str, Any]
"""Event data, with a dict for each object."""


@attrs.frozen
class Delivered:
    """The receivers get this."""

    values: Values


@attrs.frozen
class Unreadable:
    """This package cannot read the record, and its error names the field."""

    field: str
    error: str = "IncompatibleSchema"


@attrs.frozen
class Lost:
    """The existing package raises this error, logs it, commits, and goes on."""

    error: str = "SchemaResolutionError"


Outcome = Delivered | Unreadable | Lost


@attrs.frozen
class Reading:
    """What one event becomes, with either package as consumer. Which package wrote it makes no difference."""

    written: Values
    here: Outcome
    existing: Outcome


@attrs.frozen(kw_only=True)
class Change:
    """One change, and events that cross it in both directions."""

    title: str
    old: Arguments
    new: Arguments
    new_reads_old: tuple[Reading, ...]
    old_reads_new: tuple[Reading, ...]
    passes: frozenset[str] = frozenset()
    """The compatibility levels under which a registry accepts the new version: of BACKWARD and FORWARD."""
    existing_from: int = 0
    """The first major version of openedx-events with an Avro type for the classes; the existing package needs it."""

    @property
    def existing_can(self) -> bool:
        """Whether the existing package can send and read such events, with the openedx-events that is installed."""
        return int(openedx_events.__version__.split(".")[0]) >= self.existing_from

    @property
    def order(self) -> str:
        """Which services to upgrade first where all consumers run this package."""
        return _order(
            forth=all(isinstance(one.here, Delivered) for one in self.new_reads_old),
            back=all(isinstance(one.here, Delivered) for one in self.old_reads_new),
        )

    @property
    def order_beside_existing(self) -> str:
        """Which services to upgrade first where a consumer runs the existing package."""
        order = _order(
            forth=all(isinstance(one.existing, Delivered) for one in self.new_reads_old),
            back=all(isinstance(one.existing, Delivered) for one in self.old_reads_new),
        )
        return f"{order}, from openedx-events {self.existing_from} on" if self.existing_from else order

    def undone(self, title: str) -> Change:
        """Return the change back: what was new is old."""
        return Change(
            title=title,
            old=self.new,
            new=self.old,
            new_reads_old=self.old_reads_new,
            old_reads_new=self.new_reads_old,
            passes=frozenset({"BACKWARD": "FORWARD", "FORWARD": "BACKWARD"}[level] for level in self.passes),
            existing_from=self.existing_from,
        )


def _order(*, forth: bool, back: bool) -> str:
    """``forth``: new services read all that old ones write; ``back``: old services read all that new ones write."""
    if forth and back:
        return "any order"
    if forth:
        return "consumers first"
    return "producers first" if back else "new event type"


def record(name: str, /, **fields: Any) -> Any:
    """Return an attrs class. Each field is its type, or type and default."""
    typed = {key: field if isinstance(field, tuple) else (field, attrs.NOTHING) for key, field in fields.items()}
    attributes = {key: attrs.field(type=kind, default=default) for key, (kind, default) in typed.items()}
    return attrs.make_class(name, attributes, frozen=True)


def version(event_type: str, arguments: Arguments) -> OpenEdxPublicSignal:
    """
    Return a signal that openedx-events does not know.

    It keeps one signal per event type: a service has one version. Here both versions live in one process.
    """
    with patch.multiple(OpenEdxPublicSignal, instances=[], _mapping={}):
        return OpenEdxPublicSignal(event_type=event_type, data=arguments)


def filled(arguments: Arguments, values: Values) -> dict[str, Any]:
    """Return event data of a version: dicts become objects of its classes."""
    return {name: _object(kind, values[name]) for name, kind in arguments.items()}


def _object(kind: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_object(kind.__args__[0], item) for item in value]
    if attrs.has(kind) and value is not None:
        return kind(**{name: _object(attrs.fields_dict(kind)[name].type, item) for name, item in value.items()})
    return value
