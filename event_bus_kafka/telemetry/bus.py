"""Passes each lifecycle event to its observers, in the thread that emits it."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable

from event_bus_kafka.interruptions import let_through
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry.counting import COUNTED, count
from event_bus_kafka.telemetry.events import CallbackFailed, LifecycleEvent

Observer = Callable[[LifecycleEvent], None]

logger = logger_named(__name__)

RAISED_BY_OTHERS = (Exception, SystemExit, GeneratorExit, CancelledError)
"""
Classes of exceptions that this package catches when it calls a function of the service. If an exception comes from the
handler of a process signal, such as SIGTERM, this package raises the exception again.
"""
_ALL_KINDS = (LifecycleEvent,)

_observers: dict[Observer, tuple[type[LifecycleEvent], ...]] = {count: COUNTED}


class _ObserversOf(dict[type[LifecycleEvent], tuple[Observer, ...]]):
    """
    Cache: kind of event → observers that want events of this kind. When observers are added, removed or flushed, a new
    empty cache replaces this object. So an entry that a thread computes from the old observers ends up in the old
    cache, which nobody reads any more.
    """

    def __missing__(self, kind: type[LifecycleEvent]) -> tuple[Observer, ...]:
        found = self[kind] = tuple(
            observer for observer, kinds in _observers.items() if issubclass(kind, kinds) and _wants(observer, kind)
        )
        return found


_observers_of = _ObserversOf()
_flushes: tuple[Callable[[], None], ...] = ()
"""The ``flush`` methods of observers. Not every observer has this method."""


def observe(observer: Observer, *kinds: type[LifecycleEvent]) -> None:
    """
    Call ``observer`` for events of ``kinds``, or for all events if no kind is given. If the observer was added before,
    the new kinds replace its previous kinds.

    If the observer has a method ``wants``, it gets no events of the kinds for which ``wants`` returns False. The
    results of ``wants`` are cached until the next :func:`flush_observers`.
    """
    _replace(_observers | {observer: kinds or _ALL_KINDS})


def unobserve(observer: Observer) -> None:
    """Remove an observer."""
    _replace({other: kinds for other, kinds in _observers.items() if other != observer})


def emit(event: LifecycleEvent) -> None:
    """
    Call the observers of the event's kind. If an observer raises, emit CallbackFailed instead of raising, unless the
    exception comes from the handler of a process signal.
    """
    for observer in _observers_of[type(event)]:
        try:
            observer(event)
        except RAISED_BY_OTHERS as error:
            let_through(error)
            _note_failure(observer, event, error)


def flush_observers() -> None:
    """
    Call the method ``flush`` of each observer that has one. Such an observer collects events, for example for a shared
    log line. Also drop the cached results of ``wants``. Threads that emit many events call this function in each
    iteration of their loop.
    """
    global _observers_of
    _observers_of = _ObserversOf()
    for flush in _flushes:
        try:
            flush()
        except RAISED_BY_OTHERS as error:
            let_through(error)
            emit(CallbackFailed(callback=f"flush of {type(getattr(flush, '__self__', flush)).__name__}", error=error))


def is_wanted(kind: type[LifecycleEvent]) -> bool:
    """
    Return whether any observer wants events of ``kind``. Code that would create thousands of events calls this function
    first.
    """
    return bool(_observers_of[kind])


def _note_failure(observer: Observer, event: LifecycleEvent, error: BaseException) -> None:
    name = f"observer {getattr(observer, '__qualname__', type(observer).__name__)} at {type(event).__name__}"
    if isinstance(event, CallbackFailed):  # emitting another CallbackFailed would fail again
        logger.error("%s raised %s", name, type(error).__name__)
    else:
        emit(CallbackFailed(callback=name, error=error))


def _wants(observer: Observer, kind: type[LifecycleEvent]) -> bool:
    wants = getattr(observer, "wants", None)
    try:
        return wants is None or bool(wants(kind))
    except RAISED_BY_OTHERS as error:
        let_through(error)
        return True


def _replace(observers: dict[Observer, tuple[type[LifecycleEvent], ...]]) -> None:
    global _observers, _observers_of, _flushes
    _observers = observers
    _observers_of = _ObserversOf()
    _flushes = tuple(flush for observer in observers if (flush := getattr(observer, "flush", None)))
