"""Values that are made of what strangers write, kept for the next time: as few and as short ones as memory is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")

_MOST = 4096
_LONGEST = 256


class Kept(dict[Any, Value]):
    """
    Makes the value of a key (text, bytes or None) with ``make`` and keeps it; a look-up is one of a dictionary.

    Long keys are not kept, and all are forgotten once there are too many. What ``make`` raises passes through.
    """

    def __init__(self, make: Callable[[Any], Value], most: int = _MOST) -> None:
        super().__init__()
        self._make: Callable[[Any], Value] = make
        self._most = most

    def __missing__(self, key: Any) -> Value:
        value: Value = self._make(key)
        if key is None or len(key) <= _LONGEST:
            if len(self) >= self._most:
                self.clear()
            self[key] = value
        return value
