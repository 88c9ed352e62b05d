"""Receivers: their circuits, pauses and marks in the inbox."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class CircuitOpened(LifecycleEvent):
    """A receiver failed for one event after another, whatever their keys. Its events are held, except for probes."""

    receiver: str
    failures: int
    """Number of failures in a row."""
    probe_every: float
    """Seconds between two probes."""


@attrs.frozen(kw_only=True)
class CircuitClosed(LifecycleEvent):
    """A receiver whose circuit was open has succeeded, or was paused: its events are no longer held."""

    receiver: str


@attrs.frozen(kw_only=True)
class PausesChanged(LifecycleEvent):
    """
    The set of paused receivers has changed. From now on exactly these are paused: their events become dead letters.
    """

    receivers: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ReceiverUnfinished(LifecycleEvent):
    """A receiver did not end within ``waited`` seconds. Its event comes again."""

    record: str
    """``topic:partition:offset``"""
    receiver: str
    stack: str
    """Its call stack: places in the code, no values."""
    waited: float


@attrs.frozen(kw_only=True)
class ReceiverSlow(LifecycleEvent):
    """A receiver has run for ``waited`` seconds, longer than EVENT_BUS_KAFKA_SLOW_RECEIVER, and goes on."""

    record: str
    """``topic:partition:offset``"""
    receiver: str
    stack: str
    """Its call stack in one line, the innermost place first: places in the code, no values."""
    waited: float


@attrs.frozen(kw_only=True)
class DuplicateSkipped(LifecycleEvent):
    """A receiver under ``once`` was not called, because it has had the event before."""

    receiver: str
    event_type: str
    event_id: str


@attrs.frozen(kw_only=True)
class InboxMarksPurged(LifecycleEvent):
    """Marks of the inbox older than the retention were deleted."""

    count: int
