"""Contains example values of every type in event data, so that tests can create event data for any signal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args, get_origin
from uuid import UUID

import attrs
from ccx_keys.locator import CCXLocator
from opaque_keys.edx.keys import CourseKey, UsageKey
from opaque_keys.edx.locator import LibraryLocatorV2, LibraryUsageLocatorV2
from openedx_events.event_bus.avro.custom_serializers import DEFAULT_CUSTOM_SERIALIZERS
from openedx_events.learning.data import CertificateData, CourseData, UserData, UserPersonalData
from openedx_events.tooling import OpenEdxPublicSignal

COURSE = CourseKey.from_string("course-v1:edX+DemoX+2026")

FULL: dict[Any, Any] = {
    bool: True,
    int: 2**40,
    float: 0.1,
    str: "naïve 学习 🎓",
    bytes: b"\x00\xff",
    datetime: datetime(2026, 11, 23, 12, 30, 1, 123456, tzinfo=UTC),
    UUID: UUID("12345678-1234-5678-1234-567812345678"),
    CourseKey: COURSE,
    CCXLocator: CCXLocator.from_string("ccx-v1:edX+DemoX+2026+ccx@1"),
    UsageKey: UsageKey.from_string("block-v1:edX+DemoX+2026+type@html+block@intro"),
    LibraryLocatorV2: LibraryLocatorV2.from_string("lib:edX:tools"),
    LibraryUsageLocatorV2: LibraryUsageLocatorV2.from_string("lb:edX:tools:html:intro"),
}
FALSY: dict[Any, Any] = FULL | {bool: False, int: 0, float: 0.0, str: "", bytes: b""}
EXTREME: dict[Any, Any] = FULL | {
    int: -(2**63),
    float: 1e-300,
    str: "long " * 5000,
    datetime: datetime(1970, 1, 1),
}
_LOCATORS = {
    "LibraryCollectionLocator": "lib-collection:edX:tools:set",
    "LibraryContainerLocator": "lct:edX:tools:unit:first",
}


def value_of(annotation: Any, values: dict[Any, Any], *, optional: bool = False, absent: bool = False) -> Any:
    """
    Return an example value of a type. The values of basic types are in ``values``; lists and dicts are empty if
    ``values`` is :data:`FALSY`. If ``absent`` is True, attributes with the default None get the value None, except in
    the items of lists and dicts. ``optional`` is True if the value itself is for such an attribute.
    """
    if optional and absent:
        return None
    if annotation in values:
        return values[annotation]
    if getattr(annotation, "__name__", "") in _LOCATORS:
        return annotation.from_string(_LOCATORS[annotation.__name__])
    if get_origin(annotation) is list:
        return [value_of(get_args(annotation)[0], values)] if values is not FALSY else []
    if get_origin(annotation) is dict:
        return {"key": value_of(get_args(annotation)[1], values)} if values is not FALSY else {}
    return annotation(
        **{
            attribute.alias: value_of(attribute.type, values, optional=attribute.default is None, absent=absent)
            for attribute in attrs.fields(annotation)
        }
    )


def data_of(signal: OpenEdxPublicSignal, values: dict[Any, Any], *, absent: bool = False) -> dict[str, Any]:
    """Return event data for a signal. :func:`value_of` explains the arguments ``values`` and ``absent``."""
    return {name: value_of(annotation, values, absent=absent) for name, annotation in signal.init_data.items()}


VARIANTS = {
    "full": (FULL, False),
    "falsy": (FALSY, False),
    "absent": (FULL, True),
    "extreme": (EXTREME, False),
}
"""Kinds of event data by name. Each kind is a pair of arguments for :func:`data_of`: ``values`` and ``absent``."""


def certificate(user_id: int = 1, *, course: CourseKey = COURSE, grade: str = "0.9", **changes: Any) -> CertificateData:
    """Return a certificate. Some of its values are falsy."""
    pii = UserPersonalData(username="learner", email="learner@example.com", name="")
    values: dict[str, Any] = {
        "user": UserData(pii=pii, id=user_id, is_active=False),
        "course": CourseData(course_key=course, display_name=""),
        "mode": "honor",
        "grade": grade,
        "current_status": "downloadable",
        "download_url": "",
        "name": "Learner",
    }
    return CertificateData(**values | changes)


def is_custom(annotation: Any) -> bool:
    """Return whether openedx-events has a custom serializer for an annotation."""
    return any(serializer.cls is annotation for serializer in DEFAULT_CUSTOM_SERIALIZERS)
