"""Hands each lifecycle event to the observers, in the thread in which it happens."""

from __future__ import annotations

import logging
from collections.abc import Callable

from event_bus_kafka.telemetry.counters import counters
from event_bus_kafka.telemetry.events import LifecycleEvent

Observer = Callable[[LifecycleEvent], None]

logger = logging.getLogger(__name__)

_observers: tuple[Observer, ...] = (counters,)


def observe(observer: Observer) -> None:
    """Add an observer; one that is there already stays once."""
    global _observers
    if observer not in _observers:
        _observers = (*_observers, observer)


def unobserve(observer: Observer) -> None:
    """Remove an observer."""
    global _observers
    _observers = tuple(other for other in _observers if other is not observer)


def emit(event: LifecycleEvent) -> None:
    """Tell all observers. One that fails is logged: what it watches must go on."""
    for observer in _observers:
        try:
            observer(event)
        except Exception:
            logger.exception("An observer failed at %s", type(event).__name__)
