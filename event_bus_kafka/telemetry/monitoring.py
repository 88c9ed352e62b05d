"""
The monitoring observer: traces, custom attributes and exceptions for edx-django-utils' backends.

The names are those that dashboards of the existing package read.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from edx_django_utils.monitoring import function_trace, record_exception, set_custom_attribute
from edx_django_utils.monitoring.internal.backends import configured_backends

from event_bus_kafka.errors import BrokerError, EventBusError
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import LifecycleEvent

_FAILURES = (
    events.AttemptFailed,
    events.DeadLetterStored,
    events.ReplayFailed,
    events.EventRejected,
    events.EventUndelivered,
    events.AppendToOutboxFailed,
    events.RowParked,
)

MONITORED = (events.RecordReceived, events.ClientErrorReported, *_FAILURES)
"""Kinds of lifecycle events that :func:`monitor` does something with."""
_NO_SPAN = nullcontext()


def trace(name: str) -> AbstractContextManager[None]:
    """Return a context manager: a span of the given name."""
    return function_trace(name) if configured_backends() else _NO_SPAN  # without one, a span costs 4 µs all the same


def monitor(event: LifecycleEvent) -> None:
    """Set the custom attributes of the current span; report failures."""
    if isinstance(event, events.RecordReceived):
        if configured_backends():
            _set_record(event)
    elif isinstance(event, _FAILURES):
        _report(event.error)
    elif isinstance(event, events.ClientErrorReported):
        set_custom_attribute("kafka_received_message", False)
        _report(event.error)


def _set_record(event: events.RecordReceived) -> None:
    set_custom_attribute("kafka_received_message", True)
    set_custom_attribute("kafka_topic", event.topic)
    set_custom_attribute("kafka_partition", event.partition)
    set_custom_attribute("kafka_offset", event.offset)
    set_custom_attribute("kafka_message_id", event.event_id)
    set_custom_attribute("kafka_event_type", event.event_type)


def _report(error: Exception) -> None:
    if isinstance(error, BrokerError):
        set_custom_attribute("kafka_error_fatal", error.fatal)
        set_custom_attribute("kafka_error_retriable", error.retriable)
    try:  # backends take the exception from the context; its own text might quote event data
        raise EventBusError(error_text(error)) from None  # the chain would carry the texts along
    except EventBusError:
        record_exception()
