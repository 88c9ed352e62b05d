"""Values of which several are made per event."""

from __future__ import annotations

from typing import TypeVar, dataclass_transform

import attrs

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(attrs.field,))
def cheap_frozen(cls: type[T]) -> type[T]:
    """
    Make a class of keyword-only attributes that are never changed, as ``attrs.frozen`` does.

    The type checker alone refuses a change: at run time that would triple the cost of making one.
    """
    return attrs.define(kw_only=True, unsafe_hash=True)(cls)
