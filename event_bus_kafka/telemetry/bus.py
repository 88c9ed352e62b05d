"""Hands each lifecycle event to the observers, in the thread in which it happens."""

from __future__ import annotations

import logging
from collections.abc import Callable

from event_bus_kafka.telemetry.counters import counters
from event_bus_kafka.telemetry.events import LifecycleEvent

Observer = Callable[[LifecycleEvent], None]

logger = logging.getLogger(__name__)

_EVERYTHING = (LifecycleEvent,)

_observers: dict[Observer, tuple[type[LifecycleEvent], ...]] = {counters: _EVERYTHING}
_of_kind: dict[type[LifecycleEvent], tuple[Observer, ...]] = {}
"""Who hears of a kind; begun anew at each change of the observers."""


def observe(observer: Observer, *kinds: type[LifecycleEvent]) -> None:
    """Add an observer, of some kinds of lifecycle events or of all; one that is there already stays once."""
    _replace(_observers | {observer: kinds or _EVERYTHING})


def unobserve(observer: Observer) -> None:
    """Remove an observer."""
    _replace({other: kinds for other, kinds in _observers.items() if other != observer})


def emit(event: LifecycleEvent) -> None:
    """Tell all observers of its kind. One that fails is logged: what it watches must go on."""
    for observer in _of_kind.get(type(event)) or _find(type(event)):
        try:
            observer(event)
        except Exception:
            logger.exception("An observer failed at %s", type(event).__name__)


def is_wanted(kind: type[LifecycleEvent]) -> bool:
    """
    Whether anybody wants to hear of each lifecycle event of a kind, beyond counting them. An observer that has a method
    ``wants`` is asked: where thousands happen at once it pays not to make them.
    """
    heard = (observer for observer in _of_kind.get(kind) or _find(kind) if observer is not counters)
    return any(getattr(observer, "wants", _always)(kind) for observer in heard)


def _always(_: type[LifecycleEvent]) -> bool:
    return True


def _find(kind: type[LifecycleEvent]) -> tuple[Observer, ...]:
    found = _of_kind  # this one: it was begun before the look at the observers, so what is kept is not out of date
    found[kind] = tuple(observer for observer, kinds in _observers.items() if issubclass(kind, kinds))
    return found[kind]


def _replace(observers: dict[Observer, tuple[type[LifecycleEvent], ...]]) -> None:
    global _observers, _of_kind
    _observers = observers
    _of_kind = {}
