"""
Lists the important changes of an event's classes. Each entry says what happens to events that old and new versions
exchange.

Tests verify each entry with a real Kafka and a real registry. The guide "Changing an event" is generated from these
entries.
"""

from __future__ import annotations

from types import GenericAlias
from typing import Any

import attrs
from opaque_keys.edx.keys import CourseKey

from tests.interop.event_versions import (
    Arguments,
    Change,
    Delivered,
    Lost,
    Reading,
    Unreadable,
    Values,
    record,
)


def _course(**fields: Any) -> Arguments:
    return {"course": record("Course", id=int, **fields)}


def _seats(**fields: Any) -> Arguments:
    """Return the arguments of a signal: a course with a list of objects. The objects have the given fields."""
    return _course(seats=GenericAlias(list, record("Seat", row=int, **fields)))


def _of(**values: Any) -> Values:
    return {"course": {"id": 1, **values}}


def _same(written: Values, read: Values | None = None) -> Reading:
    """
    Return the expectation that both packages deliver ``read``. If ``read`` is omitted, both packages deliver
    ``written`` unchanged.
    """
    delivered = Delivered(written if read is None else read)
    return Reading(written, delivered, delivered)


BOTH = frozenset({"BACKWARD", "FORWARD"})
BACKWARD = frozenset({"BACKWARD"})
FORWARD = frozenset({"FORWARD"})

_KEY = "course-v1:edX+DemoX+2026"
_OWNER = record("Owner", name=str)

_DEFAULTS = {
    "flag": (bool, True),
    "seats": (int, 5),
    "price": (float, 1.5),
    "name": (str, "x"),
    "note": (str, None),
    "tags": (list[str], attrs.Factory(lambda: ["x"])),
}
_FALSY = {"flag": False, "seats": 0, "price": 0.0, "name": "", "note": "", "tags": []}
_REPLACED = {"flag": True, "seats": 5, "price": 1.5, "name": "x", "note": None, "tags": ["x"]}
_TRUTHY = {"flag": True, "seats": 1, "price": 0.1, "name": "y", "note": "z", "tags": [""]}

NOTHING = Change(
    title="Nothing changes",
    old=_course(**_DEFAULTS),
    new=_course(**_DEFAULTS),
    new_reads_old=(Reading(_of(**_FALSY), Delivered(_of(**_FALSY)), Delivered(_of(**_REPLACED))),),
    old_reads_new=(_same(_of(**_TRUTHY)),),
    passes=BOTH,
)
OPTIONAL_ADDED = Change(
    title="A field with ``default=None`` is added",
    old=_course(),
    new=_course(note=(str, None)),
    new_reads_old=(_same(_of(), _of(note=None)),),
    old_reads_new=(_same(_of(note="x"), _of()), _same(_of(note=None), _of())),
    passes=BOTH,
)
DEFAULT_ADDED = Change(
    title="A field with another default is added",
    old=_course(),
    new=_course(seats=(int, 5)),
    new_reads_old=(Reading(_of(), Delivered(_of(seats=5)), Lost()),),
    old_reads_new=(_same(_of(seats=2), _of()),),
    passes=FORWARD,
)
REQUIRED_ADDED = Change(
    title="A field without default is added",
    old=_course(),
    new=_course(seats=int),
    new_reads_old=(Reading(_of(), Unreadable("course.seats"), Lost()),),
    old_reads_new=(_same(_of(seats=2), _of()),),
    passes=FORWARD,
)
MADE_OPTIONAL = Change(
    title="A required field gets ``default=None``",
    old=_course(note=str),
    new=_course(note=(str, None)),
    new_reads_old=(
        _same(_of(note="x")),
        Reading(_of(note=""), Delivered(_of(note="")), Delivered(_of(note=None))),
    ),
    old_reads_new=(
        _same(_of(note="x")),
        _same(_of(note="")),
        Reading(_of(note=None), Unreadable("course.note"), Lost()),
    ),
    passes=BACKWARD,
)
DEFAULT_MADE_OPTIONAL = Change(
    title="Another default becomes ``default=None``",
    old=_course(seats=(int, 5)),
    new=_course(seats=(int, None)),
    new_reads_old=(
        _same(_of(seats=2)),
        Reading(_of(seats=0), Delivered(_of(seats=0)), Delivered(_of(seats=None))),
    ),
    old_reads_new=(
        _same(_of(seats=2)),
        Reading(_of(seats=0), Delivered(_of(seats=0)), Delivered(_of(seats=5))),
        Reading(_of(seats=None), Delivered(_of(seats=5)), Lost()),
    ),
    passes=BACKWARD,
)
NESTED_OPTIONAL_ADDED = Change(
    title="A field of a new class is added, with ``default=None``",
    old=_course(),
    new=_course(owner=(_OWNER, None)),
    new_reads_old=(_same(_of(), _of(owner=None)),),
    old_reads_new=(_same(_of(owner={"name": "x"}), _of()),),
    passes=BOTH,
)
NESTED_ADDED = Change(
    title="A field of a new class is added, without default",
    old=_course(),
    new=_course(owner=_OWNER),
    new_reads_old=(Reading(_of(), Unreadable("course.owner"), Lost()),),
    old_reads_new=(_same(_of(owner={"name": "x"}), _of()),),
    passes=FORWARD,
)
NESTED_GAINS_OPTIONAL = Change(
    title="A nested class gains a field with ``default=None``",
    old=_course(owner=_OWNER),
    new=_course(owner=record("Owner", name=str, email=(str, None))),
    new_reads_old=(_same(_of(owner={"name": "x"}), _of(owner={"name": "x", "email": None})),),
    old_reads_new=(_same(_of(owner={"name": "", "email": "x"}), _of(owner={"name": ""})),),
    passes=BOTH,
)
NESTED_GAINS_REQUIRED = Change(
    title="A nested class gains a field without default",
    old=_course(owner=_OWNER),
    new=_course(owner=record("Owner", name=str, email=str)),
    new_reads_old=(Reading(_of(owner={"name": "x"}), Unreadable("course.owner.email"), Lost()),),
    old_reads_new=(_same(_of(owner={"name": "x", "email": ""}), _of(owner={"name": "x"})),),
    passes=FORWARD,
)
ARGUMENT_ADDED = Change(
    title="The signal gains an argument",
    old=_course(),
    new=_course() | {"owner": _OWNER},
    new_reads_old=(Reading(_of(), Unreadable("owner"), Lost()),),
    old_reads_new=(_same(_of() | {"owner": {"name": "x"}}, _of()),),
    passes=FORWARD,
)
WIDENED = Change(
    title="``int`` becomes ``float``",
    old=_course(price=int),
    new=_course(price=float),
    new_reads_old=(_same(_of(price=3), _of(price=3.0)),),
    old_reads_new=(Reading(_of(price=3.0), Unreadable("course.price"), Lost()),),
    passes=BACKWARD,
)
BECAME_KEY = Change(
    title="``str`` becomes a class that travels as text (``CourseKey``, ``datetime``, …)",
    old=_course(key=str),
    new=_course(key=CourseKey),
    new_reads_old=(
        _same(_of(key=_KEY), _of(key=CourseKey.from_string(_KEY))),
        Reading(_of(key="no key"), Unreadable("course.key", "UnreadableValue"), Lost("InvalidKeyError")),
    ),
    old_reads_new=(_same(_of(key=CourseKey.from_string(_KEY)), _of(key=_KEY)),),
    passes=BOTH,
)

CHANGES = (
    NOTHING,
    OPTIONAL_ADDED,
    OPTIONAL_ADDED.undone("A field with ``default=None`` is removed"),
    DEFAULT_ADDED,
    DEFAULT_ADDED.undone("A field with another default is removed"),
    REQUIRED_ADDED,
    REQUIRED_ADDED.undone("A field without default is removed"),
    MADE_OPTIONAL,
    MADE_OPTIONAL.undone("A field with ``default=None`` becomes required"),
    DEFAULT_MADE_OPTIONAL,
    DEFAULT_MADE_OPTIONAL.undone("``default=None`` becomes another default"),
    Change(
        title="A default is changed",
        old=_course(seats=(int, 5)),
        new=_course(seats=(int, 7)),
        new_reads_old=(
            _same(_of(seats=5)),
            Reading(_of(seats=0), Delivered(_of(seats=0)), Delivered(_of(seats=7))),
        ),
        old_reads_new=(_same(_of(seats=7)),),
        passes=BOTH,
    ),
    Change(
        title="Fields are put in another order",
        old=_course(seats=int, name=str),
        new=_course(name=str, seats=int),
        new_reads_old=(_same(_of(seats=2, name="x")),),
        old_reads_new=(_same(_of(seats=2, name="x")),),
        passes=BOTH,
    ),
    Change(
        title="A required field is renamed",
        old=_course(seats=int),
        new=_course(places=int),
        new_reads_old=(Reading(_of(seats=2), Unreadable("course.places"), Lost()),),
        old_reads_new=(Reading(_of(places=2), Unreadable("course.seats"), Lost()),),
    ),
    Change(
        title="A field with ``default=None`` is renamed (and its value lost)",
        old=_course(seats=(int, None)),
        new=_course(places=(int, None)),
        new_reads_old=(_same(_of(seats=2), _of(places=None)),),
        old_reads_new=(_same(_of(places=2), _of(seats=None)),),
        passes=BOTH,
    ),
    Change(
        title="A class is renamed",
        old=_course(owner=_OWNER),
        new=_course(owner=record("Person", name=str)),
        new_reads_old=(Reading(_of(owner={"name": "x"}), Delivered(_of(owner={"name": "x"})), Lost()),),
        old_reads_new=(Reading(_of(owner={"name": "x"}), Delivered(_of(owner={"name": "x"})), Lost()),),
    ),
    NESTED_OPTIONAL_ADDED,
    NESTED_ADDED,
    NESTED_GAINS_OPTIONAL,
    NESTED_GAINS_REQUIRED,
    ARGUMENT_ADDED,
    ARGUMENT_ADDED.undone("The signal loses an argument"),
    Change(
        title="The class of a list's items gains a field with a default",
        old=_seats(),
        new=_seats(free=(bool, True)),
        new_reads_old=(Reading(_of(seats=[{"row": 1}]), Delivered(_of(seats=[{"row": 1, "free": True}])), Lost()),),
        old_reads_new=(_same(_of(seats=[{"row": 1, "free": False}]), _of(seats=[{"row": 1}])),),
        passes=FORWARD,
        existing_from=11,
    ),
    Change(
        title="The class of a list's items gains a field without default",
        old=_seats(),
        new=_seats(free=bool),
        new_reads_old=(Reading(_of(seats=[{"row": 1}]), Unreadable("course.seats.free"), Lost()),),
        old_reads_new=(_same(_of(seats=[{"row": 1, "free": False}]), _of(seats=[{"row": 1}])),),
        passes=FORWARD,
        existing_from=11,
    ),
    WIDENED,
    WIDENED.undone("``float`` becomes ``int``"),
    Change(
        title="``int`` becomes ``str``, or the other way round",
        old=_course(code=int),
        new=_course(code=str),
        new_reads_old=(Reading(_of(code=2), Unreadable("course.code"), Lost()),),
        old_reads_new=(Reading(_of(code="2"), Unreadable("course.code"), Lost()),),
    ),
    BECAME_KEY,
    BECAME_KEY.undone("A class that travels as text becomes ``str``"),
)
