"""
Classes that describe two versions of an event, and what happens when one version sends an event and the other version
reads it. The existing package is edx-event-bus-kafka.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import attrs
import openedx_events
from openedx_events.tooling import OpenEdxPublicSignal

Arguments = dict[str, Any]
"""The arguments of a signal in one version of an event: the type of each argument under the argument's name."""
Values = dict[str, Any]
"""The type of event data in which each object is a dict."""


@attrs.frozen
class Delivered:
    """The outcome that the receivers get ``values``."""

    values: Values


@attrs.frozen
class Unreadable:
    """The outcome that this package cannot read the record. The error names the field."""

    field: str
    error: str = "IncompatibleSchema"


@attrs.frozen
class Lost:
    """
    The outcome that the existing package loses the event. The existing package raises an error with the name ``error``,
    logs the error, commits the offset, and continues.
    """

    error: str = "SchemaResolutionError"


Outcome = Delivered | Unreadable | Lost


@attrs.frozen
class Reading:
    """
    One event, and the outcome of reading it with this package (``here``) and with the existing package (``existing``).
    The outcomes do not depend on the package that wrote the event.
    """

    written: Values
    here: Outcome
    existing: Outcome


@attrs.frozen(kw_only=True)
class Change:
    """
    One change of an event, with example events. The old version sends some of them to the new version. The new version
    sends the others to the old version.
    """

    title: str
    old: Arguments
    new: Arguments
    new_reads_old: tuple[Reading, ...]
    old_reads_new: tuple[Reading, ...]
    passes: frozenset[str] = frozenset()
    """
    The compatibility levels under which a registry accepts the new version. Only BACKWARD and FORWARD are considered.
    """
    existing_from: int = 0
    """
    The first major version of openedx-events with which the existing package can send and read these events; 0: every
    version.
    """

    @property
    def existing_can(self) -> bool:
        """Whether the existing package can send and read these events with the installed version of openedx-events."""
        return int(openedx_events.__version__.split(".")[0]) >= self.existing_from

    @property
    def order(self) -> str:
        """The services to upgrade first if all consumers run this package."""
        return _order(
            forth=all(isinstance(one.here, Delivered) for one in self.new_reads_old),
            back=all(isinstance(one.here, Delivered) for one in self.old_reads_new),
        )

    @property
    def order_beside_existing(self) -> str:
        """The services to upgrade first if a consumer runs the existing package."""
        order = _order(
            forth=all(isinstance(one.existing, Delivered) for one in self.new_reads_old),
            back=all(isinstance(one.existing, Delivered) for one in self.old_reads_new),
        )
        return f"{order}, from openedx-events {self.existing_from} on" if self.existing_from else order

    def undone(self, title: str) -> Change:
        """Return the opposite change: its old version is the new version of this change."""
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
    """
    Return the services to upgrade first. If ``forth`` is true, new services can read all events of old services. If
    ``back`` is true, old services can read all events of new services.
    """
    if forth and back:
        return "any order"
    if forth:
        return "consumers first"
    return "producers first" if back else "new event type"


def record(name: str, /, **fields: Any) -> Any:
    """Return an attrs class. Each field is given as a type, or as a pair of type and default."""
    typed = {key: field if isinstance(field, tuple) else (field, attrs.NOTHING) for key, field in fields.items()}
    attributes = {key: attrs.field(type=kind, default=default) for key, (kind, default) in typed.items()}
    return attrs.make_class(name, attributes, frozen=True)


def version(event_type: str, arguments: Arguments) -> OpenEdxPublicSignal:
    """
    Return a signal that openedx-events does not register.

    A service has one version of an event, so openedx-events registers one signal per event type. Tests need both
    versions in one process.
    """
    with patch.multiple(OpenEdxPublicSignal, instances=[], _mapping={}):
        return OpenEdxPublicSignal(event_type=event_type, data=arguments)


def filled(arguments: Arguments, values: Values) -> dict[str, Any]:
    """Return ``values`` as event data: an object of the class that ``arguments`` names replaces each dict."""
    return {name: _object(kind, values[name]) for name, kind in arguments.items()}


def _object(kind: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_object(kind.__args__[0], item) for item in value]
    if attrs.has(kind) and value is not None:
        return kind(**{name: _object(attrs.fields_dict(kind)[name].type, item) for name, item in value.items()})
    return value
