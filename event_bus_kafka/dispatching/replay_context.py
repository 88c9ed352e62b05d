"""Tells receivers whether the current event may have been dispatched before."""

from __future__ import annotations

from contextvars import Context, ContextVar

from event_bus_kafka.dispatching.event_context import event_context

_replaying = ContextVar("event_bus_kafka_replaying", default=False)


def is_replay() -> bool:
    """
    Return whether ``manage.py replay_events`` is calling the current receiver.

    False during the replay of a dead letter: its receiver has never succeeded for this event, so the receiver must skip
    nothing.
    """
    return _replaying.get()


def replay_context() -> Context:
    """Return a context for one event of a replay."""
    context = event_context()
    context.run(_replaying.set, True)
    return context
