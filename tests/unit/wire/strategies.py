"""Strategies of Hypothesis for random events: random classes and signals, and values for their annotations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NoReturn, get_args, get_origin
from uuid import UUID

import attrs
from hypothesis import strategies as st
from openedx_events.event_bus.avro.custom_serializers import DEFAULT_CUSTOM_SERIALIZERS
from openedx_events.tooling import OpenEdxPublicSignal

Strategy = st.SearchStrategy[Any]
SERIALIZERS: dict[type, Callable[[Any], str]] = {each.cls: each.serialize for each in DEFAULT_CUSTOM_SERIALIZERS}
_numbers = itertools.count()

# Values

_WORD = st.text("abcXYZ019_", min_size=1, max_size=8)
_ZONES = st.none() | st.just(UTC) | st.integers(-86399, 86399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
_CCX = "ccx-v1:{0}+{1}+{2}+ccx@7"
_KEYS = {
    "CourseKey": ["course-v1:{0}+{1}+{2}", "{0}/{1}/{2}", "library-v1:{0}+{1}", _CCX],
    "CCXLocator": [_CCX],
    "UsageKey": ["block-v1:{0}+{1}+{2}+type@{3}+block@{4}", "i4x://{0}/{1}/{2}/{3}", "lb:{0}:{1}:{2}:{3}"],
    "LibraryLocatorV2": ["lib:{0}:{1}"],
    "LibraryUsageLocatorV2": ["lb:{0}:{1}:{2}:{3}"],
    "LibraryCollectionLocator": ["lib-collection:{0}:{1}:{2}"],
    "LibraryContainerLocator": ["lct:{0}:{1}:{2}:{3}"],
}


def _keys(cls: Any) -> Strategy:
    texts = st.builds(str.format, st.sampled_from(_KEYS[cls.__name__]), *[_WORD] * 5)
    return texts.map(cls.from_string)


VALUES: dict[Any, Strategy] = {
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats().map(lambda number: math.nan if math.isnan(number) else number),  # payloads do not survive
    str: st.text(),
    bytes: st.binary(),
    datetime: st.datetimes(timezones=_ZONES),
    UUID: st.uuids(),
}
VALUES |= {cls: _keys(cls) for cls in SERIALIZERS if cls not in VALUES}


def values_of(annotation: Any) -> Strategy:
    """Return a strategy for the values of an annotation."""
    if annotation in VALUES:
        return VALUES[annotation]
    if get_origin(annotation) is list:
        return st.lists(values_of(get_args(annotation)[0]), max_size=4)
    if get_origin(annotation) is dict:
        return st.dictionaries(st.text(), values_of(get_args(annotation)[1]), max_size=4)
    return st.builds(annotation, **{attribute.alias: values_in(attribute) for attribute in attrs.fields(annotation)})


def values_in(attribute: attrs.Attribute[Any]) -> Strategy:
    """Return a strategy for the values of an attribute."""
    values = values_of(attribute.type)
    return st.none() | values if attribute.default is None else values


def data_of(signal: OpenEdxPublicSignal) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for the event data of a signal."""
    return st.fixed_dictionaries({name: values_of(annotation) for name, annotation in signal.init_data.items()})


# Classes and signals


def _name(annotation: Any) -> str:
    return f"a_{annotation.__name__.lower()}"


LEAVES = attrs.make_class("Leaves", {_name(kind): attrs.field(type=kind) for kind in VALUES if kind is not bytes})
"""
A class with one field of each simple type except bytes. Every random signal has an argument of this class and a second,
random argument. So the second argument can concentrate on nested types.
"""
_NAMES = ["name", "type", "items", "count", "_private", "Upper", "x1", "self_"]
_LEAVES = st.sampled_from([kind for kind in VALUES if kind is not bytes])


def _class_of(fields: dict[str, tuple[Any, str]]) -> type:
    """Return an attrs class. ``fields`` maps the name of each field to its annotation and its kind of default."""
    defaults = {"required": attrs.NOTHING, "optional": None, "default": attrs.Factory(object)}
    attributes = {
        name: attrs.field(type=annotation, default=defaults[kind], kw_only=True)
        for name, (annotation, kind) in fields.items()
    }
    return attrs.make_class(f"Class{next(_numbers)}", attributes, frozen=True)


def _classes(annotations: Strategy) -> Strategy:
    kinds = st.sampled_from(["required", "optional", "default"])
    fields = st.dictionaries(st.sampled_from(_NAMES), st.tuples(annotations, kinds), min_size=1, max_size=5)
    return fields.map(_class_of)


def _lists(items: Strategy) -> Strategy:
    return items.map(lambda item: list[item])  # type: ignore[valid-type]


def _dicts(items: Strategy) -> Strategy:
    return items.map(lambda item: dict[str, item])  # type: ignore[valid-type]


OLDER = st.recursive(
    _LEAVES | _lists(st.sampled_from([bool, int, float, str])) | _dicts(st.sampled_from([bool, int, float, str])),
    _classes,
    max_leaves=8,
)
"""A strategy for the annotations that openedx-events 10.5 can write."""
NEWER = st.recursive(
    _LEAVES | st.just(bytes), lambda inner: _classes(inner) | _lists(inner) | _dicts(inner), max_leaves=8
)
"""A strategy for annotations of all kinds that this package can write."""


def signals(annotations: Strategy) -> st.SearchStrategy[OpenEdxPublicSignal]:
    """Return a strategy for signals with two arguments."""
    return annotations.map(
        lambda drawn: OpenEdxPublicSignal(event_type="test.random.v1", data={"leaves": LEAVES, "drawn": drawn})
    )


@st.composite
def events(draw: st.DrawFn, annotations: Strategy) -> tuple[OpenEdxPublicSignal, dict[str, Any]]:
    """Draw a signal and event data for it."""
    signal = draw(signals(annotations))
    return signal, draw(data_of(signal))


# Values that do not fit

SECRET = "secret@example.com"


class Raising:
    """An object that raises an exception when one of its attributes is read."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(SECRET)


WRONG: dict[Any, list[Any]] = {
    bool: [SECRET, 2, 0.5, [], {}],
    int: [SECRET, 0.5, 1.0, 2**63, -(2**63) - 1, b""],
    float: [SECRET, 2**53 + 1, 10**400, Decimal("0.1"), b""],
    str: [5, SECRET.encode(), f"{SECRET}\ud800", [SECRET]],
    bytes: [SECRET, 5, [1]],
    list: [SECRET, {SECRET: 1}, {1}, 5],
    dict: [SECRET, [], [SECRET], {5: SECRET}, {f"{SECRET}\ud800": 1}, {SECRET: Raising()}],
    datetime: [SECRET, 5, date(2026, 1, 1), ""],
    None: [SECRET, 5, {}, [SECRET], Raising()],
}


@st.composite
def misfits(draw: st.DrawFn, annotation: Any, *, optional: bool = False) -> tuple[Any, str]:
    """
    Draw a value with one part that does not fit the annotation. Return the value and the dotted path to this part.
    """
    origin = get_origin(annotation)
    if draw(st.booleans()) and annotation not in VALUES:
        if origin is None:
            attribute = draw(st.sampled_from(attrs.fields(annotation)))
            value = draw(values_of(annotation))
            wrong, path = draw(misfits(attribute.type, optional=attribute.default is None))
            return attrs.evolve(value, **{attribute.alias: wrong}), f".{attribute.name}{path}"
        wrong, path = draw(misfits(get_args(annotation)[-1]))
        return ([*draw(values_of(annotation)), wrong] if origin is list else {"key": wrong}), path
    wrongs = [*WRONG.get(origin or annotation, WRONG[None])] + ([] if optional else [None])
    return draw(st.sampled_from(wrongs)), ""


@st.composite
def misfit_events(draw: st.DrawFn) -> tuple[OpenEdxPublicSignal, dict[str, Any], str]:
    """
    Draw a signal, and event data with one part that does not fit the signal. Return the signal, the event data, and the
    dotted path to this part.
    """
    signal = draw(signals(NEWER))
    name = draw(st.sampled_from(sorted(signal.init_data)))
    wrong, path = draw(misfits(signal.init_data[name]))
    return signal, draw(data_of(signal)) | {name: wrong}, name + path


# Comparison


def same(one: Any, other: Any) -> bool:
    """
    Return whether two values are identical in type and value, including the signs of zeros, NaN, and the offsets of
    times from UTC.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return bool(one.hex() == other.hex())
    if isinstance(one, datetime):
        return bool(one.isoformat() == other.isoformat())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if attrs.has(type(one)):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in attrs.fields(type(one)))
    return bool(one == other)


def plain(value: Any) -> Any:
    """Return a value in a form that fastavro can write: objects become dicts or texts."""
    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    write = next((write for cls, write in SERIALIZERS.items() if isinstance(value, cls)), None)
    return write(value) if write else value
