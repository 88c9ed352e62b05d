"""Lifecycle events about receivers, and about the receivers' circuits, pauses and marks in the inbox."""

from __future__ import annotations

import attrs

from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent


@attrs.frozen(kw_only=True)
class CircuitOpened(LifecycleEvent):
    """
    A receiver failed for several events in a row, with different keys. Its further events are held. Every
    ``probe_every`` seconds one of the held events is tried.
    """

    receiver: str
    failures: int
    """Number of failures in a row."""
    probe_every: float
    """Seconds between two attempts to call the receiver, each with one of the held events."""


@attrs.frozen(kw_only=True)
class CircuitClosed(LifecycleEvent):
    """A receiver whose circuit was open has succeeded, or was paused. The receiver's events are no longer held."""

    receiver: str


@attrs.frozen(kw_only=True)
class PausesChanged(LifecycleEvent):
    """
    The set of paused receivers has changed. From now on exactly ``receivers`` are paused. Events for paused receivers
    become dead letters.
    """

    receivers: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ReceiverUnfinished(LifecycleEvent):
    """
    A worker stops or loses a partition, and has waited ``waited`` seconds for its receivers, but this receiver still
    runs. The receiver's record will be processed again.
    """

    record: str
    """Coordinates of the record: ``topic:partition:offset``."""
    receiver: str
    stack: str
    """The receiver's call stack: places in the code, without values."""
    waited: float


@attrs.frozen(kw_only=True)
class ReceiverSlow(LifecycleEvent):
    """
    A receiver has run for ``waited`` seconds and still runs. EVENT_BUS_KAFKA_SLOW_RECEIVER sets the number of seconds
    after which this event is emitted.
    """

    record: str
    """Coordinates of the record: ``topic:partition:offset``."""
    receiver: str
    stack: str
    """The receiver's call stack in one line, the innermost frame first: places in the code, without values."""
    waited: float


@attrs.frozen(kw_only=True)
class DuplicateSkipped(LifecycleEvent):
    """
    A receiver decorated with ``once`` was not called, because a mark in the inbox says that the receiver has already
    processed the event.
    """

    receiver: str
    event_type: str
    event_id: str


@attrs.frozen(kw_only=True)
class InboxMarksPurged(LifecycleEvent):
    """The deletion of inbox marks older than EVENT_BUS_KAFKA_RETENTION days has ended."""

    count: int
    """Number of deleted marks; may be 0."""
