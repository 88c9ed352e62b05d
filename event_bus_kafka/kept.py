"""Bounded caches of values computed from input that other parties control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")

_MOST = 4096
_LONGEST = 256
LONGEST_SCHEMA = 50_000
"""Maximum number of characters of a schema whose value is cached. Schemas of events have at most two thousand."""
_SCHEMAS = 500_000
"""
Maximum number of characters of all schemas in a cache. It bounds the memory, since decoders take up to 40 bytes per
character. All schemas of Open edX's events together have 60,000 characters.
"""
_OF_EACH = 200
"""Number of characters that are added to the length of each schema, because short schemas take memory, too."""


class Kept(dict[Any, Value]):
    """
    A dict that computes missing values with ``make`` and caches them.

    Values of keys whose ``size`` exceeds ``longest`` are not cached. When the cache has ``most`` values, all are
    dropped. Exceptions of ``make`` are propagated.
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
    A bounded cache of values computed from schemas. It is bounded because other parties may register any number of
    schemas.

    A value of a long schema is never cached. When the schemas together have too many characters, all values are
    dropped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._characters = 0

    def keep(self, key: Any, value: Value, schema: str) -> Value:
        """Cache ``value`` under ``key`` unless ``schema`` is too long; return ``value``."""
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
