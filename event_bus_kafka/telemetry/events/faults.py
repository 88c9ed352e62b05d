"""Lifecycle events about exceptions in callbacks, and in threads of this package."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class CallbackFailed(LifecycleEvent):
    """
    A callback raised an exception: an observer, OpenTelemetry's provider, or a callback of a Kafka client such as
    ``stats_cb``.
    """

    callback: str
    """Name of the callback or of the observer."""
    error: BaseException


@attrs.frozen(kw_only=True)
class ThreadStumbled(LifecycleEvent):
    """A thread of this package caught an unexpected exception and continues."""

    thread: str
    error: BaseException
