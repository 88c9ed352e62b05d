"""
Counts lifecycle events for metrics. Received, retried and done records are counted where they are processed, without
this observer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.telemetry import events, metrics
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.metrics import Metric
from event_bus_kafka.telemetry.tallies import OTHER, Labels, tallies

_OF_TOMBSTONES = "record_deleted"
_Labels = Callable[[Any], Labels]


def type_label(event_type: str) -> str:
    """
    Return the label for an event type that another service wrote. The label is the event type itself if this service
    has a signal of this type, or if it is the type of tombstones. Otherwise the label is ``other``.
    """
    if event_type == _OF_TOMBSTONES:
        return event_type
    try:
        OpenEdxPublicSignal.get_signal_by_type(event_type)
    except KeyError:
        return OTHER
    return event_type


def _own_type(event: Any) -> Labels:
    """
    Return the label for an event that this service sends: its event type. The number of labels is limited, because the
    service has a limited number of signals.
    """
    return (event.event_type,)


def _any_type(event: Any) -> Labels:
    return (type_label(event.event_type),)


def _no_labels(_: LifecycleEvent) -> Labels:
    return ()


_COUNTED: dict[type[LifecycleEvent], tuple[Metric, _Labels]] = {
    events.EventAppended: (metrics.EVENTS_APPENDED, _own_type),
    events.EventSpilled: (metrics.EVENTS_SPILLED, _own_type),
    events.EventUndelivered: (metrics.EVENTS_LOST, _own_type),
    events.EventRejected: (metrics.EVENTS_REJECTED, _own_type),
    events.AppendToOutboxFailed: (metrics.APPENDS_FAILED, _own_type),
    events.RowParked: (metrics.ROWS_PARKED, _any_type),
    events.RelayInterrupted: (metrics.RELAY_INTERRUPTIONS, _no_labels),
    events.DeadLetterStored: (metrics.RECORDS_DEAD_LETTERED, _any_type),
    events.RecordSkipped: (metrics.RECORDS_SKIPPED, lambda event: (type_label(event.event_type), event.reason)),
    events.AttemptFailed: (metrics.ATTEMPTS_FAILED, lambda event: (type_label(event.event_type), event.outcome)),
    events.DuplicateSkipped: (metrics.DUPLICATES_SKIPPED, lambda event: (event.event_type, event.receiver)),
    events.OffsetsCommitted: (metrics.COMMITS, _no_labels),
    events.CommitFailed: (metrics.COMMITS_FAILED, _no_labels),
    events.ClientErrorReported: (metrics.CLIENT_ERRORS, lambda event: (event.client, str(event.kind))),
    events.ProbeEnded: (metrics.PROBES, lambda event: (event.failed or "none",)),
    events.CallbackFailed: (metrics.FAULTS, lambda _: ("callback",)),
    events.ThreadStumbled: (metrics.FAULTS, lambda _: ("thread",)),
}
COUNTED = tuple(_COUNTED)
"""The kinds of lifecycle events that :func:`count` handles."""


def count(event: LifecycleEvent) -> None:
    """Count a lifecycle event whose kind is in :data:`COUNTED`. This function is an observer."""
    metric, labels = _COUNTED[type(event)]
    tallies.add(metric, labels(event))
    if isinstance(event, events.ProbeEnded):
        for leg, seconds in event.legs:
            tallies.took(metrics.PROBE_SECONDS, (leg,), seconds)
