"""A test's expectations of an event."""

from __future__ import annotations

from typing import Any, Protocol

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.testing.differences import Difference, differences


class Candidate(Protocol):
    """The properties of an event that an expectation checks."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> Any: ...
    @property
    def data(self) -> dict[str, Any]: ...


@attrs.frozen
class Expectation:
    """
    Describes an event by its signal, topic, key and data. A topic or key that is None, and empty data, match any event.

    Raises TypeError if ``data`` names a field that the signal does not have, since such an assertion might never fail.
    """

    signal: OpenEdxPublicSignal
    topic: str | None = attrs.field(kw_only=True)
    key: Any = attrs.field(kw_only=True)
    data: dict[str, Any] = attrs.field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        for name in self.data:
            _require_field(self.signal, name)

    @property
    def event_type(self) -> str:
        """The event type of the signal."""
        return str(self.signal.event_type)

    def differences(self, event: Candidate) -> list[Difference]:
        """Return the differences of ``event`` from the expectation. ``event`` must have the expected event type."""
        found: list[Difference] = []
        if self.topic is not None:
            found += differences(self.topic, event.topic, "topic")
        if self.key is not None:
            found += differences(self.key, event.key, "key")
        for name, expected in self.data.items():
            steps = _steps(self.signal, name)
            found += differences(expected, _value_at(event.data, steps), ".".join(steps))
        return found

    def __str__(self) -> str:
        given = [f"topic {self.topic!r}"] * (self.topic is not None) + [f"key {self.key!r}"] * (self.key is not None)
        given += [f"this {'.'.join(_steps(self.signal, name))}" for name in self.data]
        return f"{self.event_type} with {', '.join(given)}" if given else self.event_type


def _steps(signal: OpenEdxPublicSignal, name: str) -> list[str]:
    return [name] if name in signal.init_data else name.split("__")


def _value_at(data: dict[str, Any], steps: list[str]) -> Any:
    first, *rest = steps
    value = data[first]
    for step in rest:
        value = getattr(value, step, None)
    return value


def _require_field(signal: OpenEdxPublicSignal, name: str) -> None:
    fields: dict[str, Any] = signal.init_data
    for step in _steps(signal, name):
        if step not in fields:
            known = f"it has {', '.join(fields)}" if fields else "its value has no fields"
            raise TypeError(f"{signal.event_type}: {name} fails at {step!r}: {known}.")
        annotation = fields[step]
        inner = attrs.fields(annotation) if attrs.has(annotation) else ()
        fields = {attribute.name: attribute.type for attribute in inner}
