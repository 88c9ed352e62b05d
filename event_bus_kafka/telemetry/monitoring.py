"""
The monitoring observer: traces, custom attributes and exceptions for edx-django-utils' backends.

The names are those that dashboards of the existing package read.
"""

from __future__ import annotations

from edx_django_utils.monitoring import function_trace, record_exception, set_custom_attribute

from event_bus_kafka.errors import BrokerError, EventBusError
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.telemetry.logs import described

__all__ = ["monitor", "trace"]

_FAILURES = (
    events.AttemptFailed,
    events.DeadLetterStored,
    events.EventRejected,
    events.EventUndelivered,
    events.AppendToOutboxFailed,
    events.RowParked,
)

trace = function_trace
"""Context manager: a span of the given name."""


def monitor(event: LifecycleEvent) -> None:
    """Set the custom attributes of the current span; report failures."""
    if isinstance(event, events.RecordReceived):
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
        raise EventBusError(described(error)) from None  # the chain would carry the texts along
    except EventBusError:
        record_exception()
