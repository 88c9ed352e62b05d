"""The description of a setting: its name, its default, the accepted values, and a sentence for the reference page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, overload

import attrs
from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from event_bus_kafka.errors import ConfigurationError

T = TypeVar("T")


@attrs.frozen
class Kind(Generic[T]):
    """
    A set of accepted values, which ``expects`` describes in error messages. ``read`` returns the value to use; it
    raises ValueError or TypeError if a value is not accepted.
    """

    expects: str
    read: Callable[[Any], T]


@attrs.frozen
class Setting(Generic[T]):
    """
    A Django setting. It is read and checked at its first use, and again after a test overrides it.

    A setting is an attribute of a table, which is a class. Access through an instance of the table returns the
    setting's value, or raises :class:`ConfigurationError`.
    """

    name: str
    kind: Kind[T]
    default: T
    sentence: str

    @overload
    def __get__(self, table: None, owner: type) -> Setting[T]: ...

    @overload
    def __get__(self, table: object, owner: type) -> T: ...

    def __get__(self, table: object | None, owner: type) -> Setting[T] | T:
        if table is None:
            return self
        try:
            value: T = _known[self.name]
        except KeyError:
            value = self.value()
        return value  # usually without a function call: a send reads five settings

    def value(self) -> T:
        """
        Return the value, the same object each time until a test overrides the setting. Raises
        :class:`ConfigurationError` if the value is not accepted.
        """
        try:
            value: T = _known[self.name]
        except KeyError:
            value = _known[self.name] = self._read()
        return value

    def _read(self) -> T:
        raw = getattr(django_settings, self.name, _UNSET)
        if raw is _UNSET:
            return self.default
        try:
            return self.kind.read(raw)
        except (TypeError, ValueError) as error:
            detail = f" ({error})" if str(error) else ""
            raise ConfigurationError(f"{self.name} must be {self.kind.expects}{detail}.") from None


_UNSET = object()
_known: dict[str, Any] = {}
"""
Cache: name of a setting → its value. The cache is needed because each send reads five settings, and Django takes 3 µs
to find out that a setting is missing.
"""


@receiver(setting_changed)
def _forget(setting: str, **_: Any) -> None:
    _known.pop(setting, None)


def names_in_use(prefix: str) -> list[str]:
    """
    Return the names of all settings of the project that begin with ``prefix``, whether or not this package has them.
    """
    return [name for name in dir(django_settings) if name.startswith(prefix)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


def _read_text(value: Any) -> str:
    _require(isinstance(value, str) and bool(value.strip()))
    return str(value)


def _read_any_text(value: Any) -> str:
    _require(isinstance(value, str))
    return str(value)


def _read_flag(value: Any) -> bool:
    _require(isinstance(value, bool))
    return bool(value)


def _read_texts(value: Any) -> tuple[str, ...]:
    _require(isinstance(value, (list, tuple, set)) and all(isinstance(item, str) for item in value))
    return tuple(value)


def _read_some_texts(value: Any) -> tuple[str, ...]:
    texts = _read_texts(value)
    _require(bool(texts) and all(texts))
    return texts


def _read_mapping(value: Any) -> dict[str, Any]:
    _require(isinstance(value, Mapping) and all(isinstance(key, str) for key in value))
    return dict(value)


def number(*, least: float, most: float) -> Kind[float]:
    """Return the kind that accepts numbers from ``least`` to ``most``, both included."""

    def read(value: Any) -> float:
        _require(_is_number(value) and least <= value <= most)
        return float(value)

    return Kind(f"a number from {least:g} to {most:g}", read)


def count(*, least: int, most: int) -> Kind[int]:
    """Return the kind that accepts whole numbers from ``least`` to ``most``, both included."""

    def read(value: Any) -> int:
        _require(_is_number(value) and least <= value <= most and value == int(value))  # int() refuses infinity
        return int(value)

    return Kind(f"a whole number from {least:,} to {most:,}", read)


def one_of(*choices: str) -> Kind[str]:
    """Return the kind that accepts only the texts in ``choices``."""

    def read(value: Any) -> str:
        _require(value in choices)
        return str(value)

    return Kind("one of " + ", ".join(map(repr, choices)), read)


def optional(kind: Kind[T]) -> Kind[T | None]:
    """Return the kind that accepts None and all values that ``kind`` accepts."""
    return Kind(f"{kind.expects} or None", lambda value: None if value is None else kind.read(value))


def mapping_of(kind: Kind[T], of: str) -> Kind[dict[str, T]]:
    """
    Return the kind that accepts dicts with str keys and with values that ``kind`` accepts. ``of`` describes keys and
    values in error messages.
    """

    def read(value: Any) -> dict[str, T]:
        return {key: _entry(key, item) for key, item in _read_mapping(value).items()}

    def _entry(key: str, item: Any) -> T:
        try:
            return kind.read(item)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{key!r} is not {kind.expects}" + (f", {error}" if str(error) else "")) from None

    return Kind(f"a dict of {of}, each {kind.expects}", read)


TEXT = Kind("a str that is not empty", _read_text)
ANY_TEXT = Kind("a str", _read_any_text)
FLAG = Kind("True or False", _read_flag)
TEXTS = Kind("a list of str", _read_texts)
SOME_TEXTS = Kind("a list of one or more str that are not empty", _read_some_texts)
MAPPING = Kind("a dict with str keys", _read_mapping)
