"""Finds the differences between a value and the expected value, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

_SHOWN = 200


@attrs.frozen
class Difference:
    """A field with an unexpected value; ``path`` is dotted."""

    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}"


def differences(expected: Any, got: Any, path: str) -> Iterator[Difference]:
    """
    Yield the differences of ``got`` from ``expected``. A callable in ``expected`` is a predicate, which is called with
    the value at the same place in ``got``. Encoding and decoding turn tuples into lists and change classes; so tuples
    equal lists, and objects are compared field by field.
    """
    if callable(expected):
        if not expected(got):
            yield Difference(path, f"{_shown(expected)} to accept it", _shown(got))
    elif attrs.has(type(expected)) and attrs.has(type(got)) and _related(type(expected), type(got)):
        for field in attrs.fields(type(expected)):
            theirs = getattr(got, field.name, _NOTHING)
            yield from differences(getattr(expected, field.name), theirs, f"{path}.{field.name}")
    elif isinstance(expected, dict) and isinstance(got, dict):
        for key in expected | got:
            yield from differences(expected.get(key, _NOTHING), got.get(key, _NOTHING), f"{path}.{key}")
    elif _are_sequences(expected, got) and len(expected) == len(got):
        for number, (ours, theirs) in enumerate(zip(expected, got, strict=True)):
            yield from differences(ours, theirs, f"{path}.{number}")
    elif not _are_equal(expected, got):
        yield Difference(path, _shown(expected), _shown(got))


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def _related(one: type, other: type) -> bool:
    return issubclass(one, other) or issubclass(other, one)


def _are_sequences(*values: Any) -> bool:
    return all(isinstance(value, (list, tuple)) for value in values)


def _are_equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return bool(one == other) or (one != one and other != other)  # NaN equals NaN here


def _shown(value: Any) -> str:
    text = getattr(value, "__qualname__", "") or repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
