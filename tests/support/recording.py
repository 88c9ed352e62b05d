"""Runs OpenTelemetry's SDK in this process, with a provider that records spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once

Ended = Callable[[], dict[str, ReadableSpan]]
"""The type of a function that returns the ended spans by name. The names of the spans must be different."""


@contextmanager
def recorded(**options: Any) -> Iterator[Ended]:
    """While the block runs, record spans. Yield a function that returns the spans that have ended."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(**options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provided(provider):
        yield lambda: by_name(exporter.get_finished_spans())
    provider.shutdown()


@contextmanager
def provided(provider: trace.TracerProvider) -> Iterator[None]:
    """
    Set ``provider`` as OpenTelemetry's provider while the block runs. OpenTelemetry accepts only one provider per
    process, so first make OpenTelemetry forget that it has had a provider.
    """
    trace._TRACER_PROVIDER_SET_ONCE = Once()
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        trace._TRACER_PROVIDER = None


def by_name(spans: tuple[ReadableSpan, ...]) -> dict[str, ReadableSpan]:
    found = {span.name: span for span in spans}
    assert len(found) == len(spans), [span.name for span in spans]
    return found


def context_of(span: ReadableSpan) -> trace.SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


def traceparent_of(span: ReadableSpan) -> bytes:
    """Return the value of the header ``traceparent`` for a span."""
    context = context_of(span)
    ids = f"{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
    return f"00-{ids}-{context.trace_flags:02x}".encode()
