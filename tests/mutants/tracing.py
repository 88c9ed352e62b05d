"""Faults in traces and in the fields of log lines."""

from __future__ import annotations

from tests.mutants.fault import Fault

_TRACING = ("unit/telemetry/test_tracing.py",)
_FIELDS = ("unit/telemetry/test_log_fields.py",)
_SENDING = ("unit/producing/test_send_span.py",)

FAULTS = (
    Fault(
        name="a record does not carry the context of its sender",
        file="producing/send_span.py",
        scope="in_trace",
        old="encoded.headers + headers",
        new="encoded.headers",
        harm="a trace ends at the request",
        tests=_SENDING,
    ),
    Fault(
        name="an event is sent outside of its span",
        file="producing/producer.py",
        scope="KafkaEventProducer.send",
        old="in_trace(encoded, span)",
        new="encoded",
        harm="a trace ends at the request",
        tests=_SENDING,
    ),
    Fault(
        name="the end of a span may raise",
        file="telemetry/tracing/spans.py",
        scope="OpenSpan.end",
        old="_tell(raised)",
        new="raise",
        harm="events fail because a processor of spans does",
        tests=_TRACING,
    ),
    Fault(
        name="the span of a failure quotes the error",
        file="telemetry/tracing/spans.py",
        scope="OpenSpan.fail",
        old="shown(error_text(error))",
        new="shown(error)",
        harm="personal data is in the traces",
        tests=_TRACING,
    ),
    Fault(
        name="a doubled traceparent is taken",
        file="telemetry/tracing/trace_context.py",
        scope="context_in",
        old="len(found) != 1 or len(found[0]) > _LONGEST",
        new="not found or len(found[0]) > _LONGEST",
        harm="a trace hangs on whoever wrote first",
        tests=_TRACING,
    ),
    Fault(
        name="broken members of a tracestate go to the API",
        file="telemetry/tracing/trace_context.py",
        scope="_members",
        old="len(matches) < len(texts) or len(texts) > _MOST_MEMBERS or len({one[1] for one in matches}) < len(texts)",
        new="len(matches) < len(texts)",
        harm="strangers fill the log with warnings",
        tests=_TRACING,
    ),
    Fault(
        name="records that nobody receives have spans",
        file="consuming/processor.py",
        scope="Processor._is_received",
        old="signal is not None and not _reason_to_skip(record, signal, self.receivers_of(signal))",
        new="signal is not None",
        harm="spans that nobody looks for fill the exporter's queue, and others are dropped",
        tests=_TRACING,
    ),
    Fault(
        name="the sender is never the parent",
        file="telemetry/tracing/spans.py",
        scope="open_span",
        old="trace.set_span_in_context(trace.NonRecordingSpan(sender)) if sender and is_child else None",
        new="None",
        harm="EVENT_BUS_KAFKA_TRACE_CONTEXT changes nothing",
        tests=_TRACING,
    ),
    Fault(
        name="a worker does not look at how spans are tied",
        file="assembly/consuming.py",
        scope="processor",
        old='settings.trace_context == "parent"',
        new="False",
        harm="EVENT_BUS_KAFKA_TRACE_CONTEXT changes nothing",
        real=("real/test_tracing.py",),
    ),
    Fault(
        name="no provider is found",
        file="telemetry/tracing/tracer.py",
        scope="_has_provider",
        old="trace._TRACER_PROVIDER is not None",
        new="False",
        harm="there are no traces",
        tests=_TRACING,
    ),
    Fault(
        name="fields of strangers are not cleaned",
        file="telemetry/logs/fields.py",
        scope="_add",
        old="label(value) if isinstance(value, str) else value",
        new="value",
        harm="an event type of any length and with any character is in the log",
        tests=_FIELDS,
    ),
    Fault(
        name="a shared line has the offset of its first event",
        file="telemetry/logs/audit.py",
        scope="AuditLines._log",
        old='fields(first, "offset", "event_id")',
        new="fields(first)",
        harm="a search by the offset of one of them finds a line of a hundred",
        tests=_FIELDS,
    ),
    Fault(
        name="fields are made of lines that are not written",
        file="telemetry/logs/outbox.py",
        old="if logger.isEnabledFor(logging.DEBUG):\n"
        '    logger.debug("Event %s for topic %s waits in the outbox", event.event_id, event.topic, '
        "extra=fields(event))",
        new='logger.debug("Event %s waits for topic %s", event.event_id, event.topic, extra=fields(event))',
        harm="each event in the outbox costs more",
        tests=_FIELDS,
    ),
)
