"""Begins and ends spans, and records failures on them. A failure of tracing never affects the event."""

from __future__ import annotations

from contextvars import ContextVar, Token
from time import time_ns
from types import TracebackType
from typing import Any

from event_bus_kafka.interruptions import let_through
from event_bus_kafka.shown import label, shown
from event_bus_kafka.telemetry.bus import RAISED_BY_OTHERS, emit
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import CallbackFailed
from event_bus_kafka.telemetry.tracing.conventions import (
    ERROR_TYPE,
    EXCEPTION,
    EXCEPTION_MESSAGE,
    EXCEPTION_TYPE,
    Attributes,
    Kind,
)
from event_bus_kafka.telemetry.tracing.trace_context import Headers, context_in, headers_of
from event_bus_kafka.telemetry.tracing.tracer import context, current_tracer, trace

_CALLBACK = "OpenTelemetry's provider"


class NoSpan:
    """A span that records nothing, used if no span is wanted."""

    __slots__ = ()

    @property
    def headers(self) -> Headers:
        """The headers that carry the span's context to the consumer of a record; empty if there is no span."""
        return ()

    def __enter__(self) -> NoSpan:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        pass

    def fail(self, error: BaseException) -> None:
        """Record ``error`` with its type and a text without event data."""

    def leave(self) -> None:
        """Make the previous span the current one again and note the end time. Failures may still be recorded."""

    def end(self) -> None:
        """End the span at the time that :meth:`leave` noted."""


NO_SPAN = NoSpan()
innermost: ContextVar[NoSpan] = ContextVar("event_bus_kafka_span", default=NO_SPAN)
"""The innermost open span of this package. Spans that other packages have opened inside it do not count."""


class OpenSpan(NoSpan):
    """
    A span that is the current one until :meth:`leave` is called or its block ends. An exception that leaves the block
    before a call of :meth:`leave` is recorded as a failure.
    """

    __slots__ = ("_left_at", "_span", "_tokens")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._left_at: int | None = None

    @property
    def headers(self) -> Headers:
        return headers_of(self._span.get_span_context())

    def __enter__(self) -> NoSpan:
        self._tokens: tuple[Token[Any], Token[NoSpan]] = (
            context.attach(trace.set_span_in_context(self._span)),
            innermost.set(self),
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if self._left_at is None:
                self.leave()
                if error is not None:
                    self.fail(error)
        finally:
            self.end()

    def fail(self, error: BaseException) -> None:
        try:
            if not self._span.is_recording():
                return
            name, text = _name_of(type(error)), shown(error_text(error))
            self._span.add_event(EXCEPTION, {EXCEPTION_TYPE: name, EXCEPTION_MESSAGE: text}, self._left_at)
            self._span.set_attribute(ERROR_TYPE, name)
            self._span.set_status(trace.StatusCode.ERROR, text)
        except RAISED_BY_OTHERS as raised:
            _tell(raised)

    def leave(self) -> None:
        attached, set_before = self._tokens
        innermost.reset(set_before)
        context.detach(attached)
        self._left_at = time_ns()

    def end(self) -> None:
        try:
            self._span.end(self._left_at)
        except RAISED_BY_OTHERS as raised:
            _tell(raised)


def open_span(
    name: str,
    kind: Kind = "INTERNAL",
    attributes: Attributes | None = None,
    *,
    carried_by: Headers = (),
    is_child: bool = False,
) -> NoSpan:
    """
    Return a new span inside the current span. Return NO_SPAN if the service uses no tracing, or if tracing fails.

    ``carried_by``: headers of a received record. If they contain the context of the sender's span, the new span has a
    link to it. ``is_child``: whether the sender's span is the parent, instead of the current span.
    """
    try:
        tracer = current_tracer()
        if tracer is None:
            return NO_SPAN
        sender = context_in(carried_by)
        parent = trace.set_span_in_context(trace.NonRecordingSpan(sender)) if sender and is_child else None
        links = [trace.Link(sender)] if sender else []
        return OpenSpan(
            tracer.start_span(
                label(name), parent, trace.SpanKind[kind], attributes, links
            )  # samplers get all arguments
        )
    except RAISED_BY_OTHERS as error:
        _tell(error)
        return NO_SPAN


def _tell(error: BaseException) -> None:
    """
    Report an exception that OpenTelemetry's provider raised. If the handler of a process signal raised the exception,
    raise the exception again instead.
    """
    let_through(error)
    emit(CallbackFailed(callback=_CALLBACK, error=error))


def _name_of(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
