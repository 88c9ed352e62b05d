"""Creates signals of a test service. The tests choose the fields of their data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

EVENT_TYPE = "org.example.grades.course.graded.v1"


@contextmanager
def graded(**fields: Any) -> Iterator[OpenEdxPublicSignal]:
    """
    Yield a signal whose data is an object with ``fields``. Each field is given as a type, or as a pair of type and
    default. At the end the signal is unregistered.
    """
    attributes = {
        name: attrs.field(type=kind[0], default=kind[1]) if isinstance(kind, tuple) else attrs.field(type=kind)
        for name, kind in fields.items()
    }
    cls = attrs.make_class("GradeData", attributes, frozen=True, kw_only=True)
    signal = OpenEdxPublicSignal(event_type=EVENT_TYPE, data={"grade": cls})
    try:
        yield signal
    finally:
        OpenEdxPublicSignal.instances.remove(signal)
        OpenEdxPublicSignal._mapping.pop(EVENT_TYPE)


def grade(signal: OpenEdxPublicSignal, **values: Any) -> Any:
    """Return data for a signal of :func:`graded`. ``values`` are the values of its fields."""
    return signal.init_data["grade"](**values)
