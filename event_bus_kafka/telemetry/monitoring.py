"""
The observer for edx-django-utils' monitoring backends: spans, custom attributes and exceptions. Spans and attributes
have the same names as in edx-event-bus-kafka, so that existing dashboards still work.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar, get_args

from edx_django_utils.monitoring import NewRelicBackend, function_trace, record_exception, set_custom_attribute
from edx_django_utils.monitoring.internal.backends import configured_backends

from event_bus_kafka.errors import BrokerError, EventBusError
from event_bus_kafka.shown import label
from event_bus_kafka.telemetry import events
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import LifecycleEvent

try:
    from newrelic.agent import background_task
except ImportError:  # without the module there is no NewRelicBackend either
    background_task = None

A = TypeVar("A")
R = TypeVar("R")

_Record = (
    events.RecordReceived | events.RecordRetried | events.AttemptFailed | events.DeadLetterStored | events.ReplayFailed
)
_RECORDS = get_args(_Record)
_FAILURES = (
    events.AttemptFailed,
    events.DeadLetterStored,
    events.ReplayFailed,
    events.EventRejected,
    events.EventUndelivered,
    events.AppendToOutboxFailed,
    events.RowParked,
)

MONITORED = (*{*_RECORDS, *_FAILURES}, events.ClientErrorReported)
"""The kinds of lifecycle events that :class:`Monitor` handles."""

_NO_SPAN = nullcontext()


def trace(name: str) -> AbstractContextManager[None]:
    """Return a context manager that opens a span called ``name``, if a monitoring backend is configured."""
    return function_trace(name) if configured_backends() else _NO_SPAN  # without a backend a span would take 4 µs


def transaction(name: str, function: Callable[[A], R], argument: A) -> R:
    """
    Call ``function`` with ``argument`` in a span called ``name``, if a monitoring backend is configured. New Relic has
    spans only inside transactions, so with New Relic the call is also a transaction.
    """
    backends = configured_backends()
    if not backends:
        return function(argument)

    def traced() -> R:
        with function_trace(name):
            return function(argument)

    is_new_relic = any(isinstance(backend, NewRelicBackend) for backend in backends)
    whole: Callable[[], R] = background_task(name=name)(traced) if is_new_relic else traced
    return whole()


class Monitor:
    """Sets custom attributes of the current span, and reports failures, if a monitoring backend is configured."""

    def __call__(self, event: LifecycleEvent) -> None:
        if isinstance(event, _RECORDS):
            _set_record_attributes(event)
        if isinstance(event, _FAILURES):
            _record_error(event.error)
        elif isinstance(event, events.ClientErrorReported):
            set_custom_attribute("kafka_received_message", False)
            _record_error(event.error)

    def wants(self, _: type[LifecycleEvent]) -> bool:
        return bool(configured_backends())


monitor = Monitor()


def _set_record_attributes(event: _Record) -> None:
    set_custom_attribute("kafka_received_message", True)
    set_custom_attribute("kafka_topic", event.topic)
    set_custom_attribute("kafka_partition", event.partition)
    set_custom_attribute("kafka_offset", event.offset)
    set_custom_attribute("kafka_event_type", label(event.event_type))
    if not isinstance(event, events.AttemptFailed):
        set_custom_attribute("kafka_message_id", event.event_id)


def _record_error(error: Exception) -> None:
    if isinstance(error, BrokerError):
        set_custom_attribute("kafka_error_fatal", error.fatal)
        set_custom_attribute("kafka_error_retriable", error.retriable)
    try:  # backends report the exception that is being handled; the text of `error` may quote event data
        raise EventBusError(error_text(error)) from None  # otherwise backends would also report the text of `error`
    except EventBusError:
        record_exception()
