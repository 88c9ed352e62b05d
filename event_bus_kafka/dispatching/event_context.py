"""The context in which an event runs: a fresh one for each event, except for Django's caches, which a thread reuses."""

from __future__ import annotations

import threading
from contextvars import Context, ContextVar
from functools import lru_cache
from typing import Any

from django.core import cache

from event_bus_kafka.telemetry.guards import guarded

_caches: Any = cache.caches


class _Kept(threading.local):
    def __init__(self) -> None:
        self.caches: dict[ContextVar[Any], Any] = {}


_kept = _Kept()


def event_context() -> Context:
    """Return a context for one event, with the caches that the calling thread made for earlier events."""
    context = Context()
    for variable, value in _kept.caches.items():
        context.run(variable.set, value)
    return context


def keep_caches(context: Context) -> None:
    """Keep the caches of a context for the next event; close them as Django does at the end of a request."""
    for variable in _variables(_caches._connections):
        if variable in context:
            context.run(_close)
            _kept.caches[variable] = context[variable]


@lru_cache(maxsize=1)
def _variables(_storage: object) -> tuple[ContextVar[Any], ...]:
    """
    Return the context variables in which Django keeps caches. Cached per storage, because tests replace Django's
    storage.
    """
    context = Context()
    for alias in _caches:
        context.run(_caches.__setitem__, alias, None)
    return tuple(context)


_close = guarded("Django's caches, closed after an event", lambda: _caches.close_all())
