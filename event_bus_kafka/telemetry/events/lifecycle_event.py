"""The base of all lifecycle events."""

from __future__ import annotations


class LifecycleEvent:
    """Base of all lifecycle events."""

    __slots__ = ()
