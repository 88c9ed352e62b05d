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
"""The kinds of lifecycle events that :func:`monitor` handles."""

_NO_SPAN = nullcontext()


def trace(name: str) -> AbstractContextManager[None]:
    """Return a context manager that opens a span called ``name``, if a monitoring backend is configured."""
    return function_trace(name) if configured_backends() else _NO_SPAN  # even without a backend, a span takes 4 µs


def monitor(event: LifecycleEvent) -> None:
    """Set the custom attributes of the current span; report failures."""
    if isinstance(event, events.RecordReceived):
        if configured_backends():
            _set_record_attributes(event)
    elif isinstance(event, _FAILURES):
        _record_error(event.error)
    elif isinstance(event, events.ClientErrorReported):
        set_custom_attribute("kafka_received_message", False)
        _record_error(event.error)


def _set_record_attributes(event: events.RecordReceived) -> None:
    set_custom_attribute("kafka_received_message", True)
    set_custom_attribute("kafka_topic", event.topic)
    set_custom_attribute("kafka_partition", event.partition)
    set_custom_attribute("kafka_offset", event.offset)
    set_custom_attribute("kafka_message_id", event.event_id)
    set_custom_attribute("kafka_event_type", event.event_type)


def _record_error(error: Exception) -> None:
    if isinstance(error, BrokerError):
        set_custom_attribute("kafka_error_fatal", error.fatal)
        set_custom_attribute("kafka_error_retriable", error.retriable)
    try:  # backends report the exception that is being handled; the text of `error` might quote event data
        raise EventBusError(error_text(error)) from None  # a chained exception would be reported with its text
    except EventBusError:
        record_exception()
