"""
Value classes whose objects are cheap to create, because only type checkers treat them as immutable. Each event needs
several such objects.
"""

from __future__ import annotations

from typing import TypeVar, dataclass_transform

import attrs

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def cheap_frozen(cls: type[T]) -> type[T]:
    """
    Turn ``cls`` into an attrs class that type checkers treat as frozen.

    At run time nothing prevents a change, because ``attrs.frozen`` would triple the time to create an object. Code that
    runs for each event passes the attributes by position, because keywords would double the time to create an object.
    """
    return attrs.define(unsafe_hash=True)(cls)
