"""Tells receivers whether the current event comes from the replay of a topic."""

from __future__ import annotations

from contextvars import Context, ContextVar

from event_bus_kafka.dispatching.event_context import event_context

_replaying = ContextVar("event_bus_kafka_replaying", default=False)


def is_replay() -> bool:
    """
    Return whether the current receiver is called by ``manage.py replay_events``, or by a worker that replays a topic on
    request.

    During the replay of a dead letter the result is False, because the receiver has not succeeded for this event and so
    must skip nothing.
    """
    return _replaying.get()


def replay_context() -> Context:
    """Return a context for one event of the replay of a topic, in which :func:`is_replay` returns True."""
    context = event_context()
    context.run(_replaying.set, True)
    return context
