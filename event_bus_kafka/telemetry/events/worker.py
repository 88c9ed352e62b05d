"""Lifecycle events about a worker's start, readiness and end."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class ReadinessChanged(LifecycleEvent):
    """The set of reasons why a worker is not ready has changed."""

    ready: bool
    reasons: tuple[str, ...]


@attrs.frozen(kw_only=True)
class NeglectFound(LifecycleEvent):
    """
    A worker or relay has found a neglect: a problem that operators have not attended to for some time. Emitted once for
    each neglect that exists when the process starts.
    """

    neglect: str
    """The id of the kind of neglect."""
    subject: str
    """Name of the database, group, topic or receiver that is neglected."""
    message: str
    remedy: str


@attrs.frozen(kw_only=True)
class WorkerStarted(LifecycleEvent):
    name: str


@attrs.frozen(kw_only=True)
class WorkerStopping(LifecycleEvent):
    name: str
    reason: str


@attrs.frozen(kw_only=True)
class WorkerStopped(LifecycleEvent):
    name: str
    exit_code: int
    reason: str
