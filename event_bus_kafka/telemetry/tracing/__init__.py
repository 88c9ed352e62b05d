"""
Spans for OpenTelemetry. They are created only if OpenTelemetry's API is installed and the service has set a provider.

No other part of this package imports ``opentelemetry``.
"""

from event_bus_kafka.telemetry.tracing.failures import FAILURES, note_failure
from event_bus_kafka.telemetry.tracing.spans import NO_SPAN, NoSpan, open_span
from event_bus_kafka.telemetry.tracing.tracer import is_recording, is_tracing

__all__ = ["FAILURES", "NO_SPAN", "NoSpan", "is_recording", "is_tracing", "note_failure", "open_span"]
