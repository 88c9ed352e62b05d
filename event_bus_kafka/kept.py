"""Bounded caches of values made from strangers' input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")

_MOST = 4096
_LONGEST = 256
LONGEST_SCHEMA = 50_000
"""Characters. Those of events have two thousand at most."""
_SCHEMAS, _OF_EACH = 500_000, 200
"""Characters of all together, and how many more each counts. Decoders take up to 40 bytes per character. All events of
Open edX have 60,000 characters."""


class Kept(dict[Any, Value]):
    """
    Makes the value of a key with ``make`` and keeps it; a look-up is one of a dictionary.

    Keys whose ``size`` is above ``longest`` are not kept, and all are forgotten once there are too many. What ``make``
    raises passes through.
    """

    def __init__(
        self,
        make: Callable[[Any], Value],
        most: int = _MOST,
        *,
        size: Callable[[Any], int] = len,
        longest: int = _LONGEST,
    ) -> None:
        super().__init__()
        self._make: Callable[[Any], Value] = make
        self._most = most
        self._size: Callable[[Any], int] = size
        self._longest = longest

    def __missing__(self, key: Any) -> Value:
        value: Value = self._make(key)
        if self._size(key) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[key] = value
        return value


class KeptSchemas(dict[Any, Value]):
    """
    A bounded cache of values computed from schemas, which strangers may register in any number.

    A long schema is never cached. When the schemas together have too many characters, all are dropped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._characters = 0

    def keep(self, key: Any, value: Value, schema: str) -> Value:
        """Keep a value, if there is room, and return it."""
        characters = len(schema) + _OF_EACH
        if len(schema) <= LONGEST_SCHEMA:
            if self._characters + characters > _SCHEMAS:
                self.clear()
            self[key] = value
            self._characters += characters
        return value

    def clear(self) -> None:
        super().clear()
        self._characters = 0
