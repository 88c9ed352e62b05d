"""Failures at this package's borders: in functions that a service gives, and in its own threads."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class CallbackFailed(LifecycleEvent):
    """A function of the service raised: an option of a Kafka client, such as ``stats_cb``, or an observer."""

    callback: str
    """Name of the option or of the observer."""
    error: BaseException


@attrs.frozen(kw_only=True)
class ThreadStumbled(LifecycleEvent):
    """Something raised that a thread of this package does not expect. The thread goes on."""

    thread: str
    error: BaseException
