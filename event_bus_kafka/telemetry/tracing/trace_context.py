"""
The context of a trace in a record's headers ``traceparent`` and ``tracestate``, in the format of W3C's Trace Context.
Invalid headers of other services are ignored and not logged.
"""

from __future__ import annotations

import re

from event_bus_kafka.telemetry.tracing.tracer import trace

Headers = tuple[tuple[str, bytes | None], ...]

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_LONGEST = 512
"""Maximum number of bytes of each header. The specification allows dropping longer headers."""
_MOST_MEMBERS = 32
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER = re.compile(
    r"([a-z][_0-9a-z\-*/]{0,255}|[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13})"
    r"=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])"
)


def headers_of(context: trace.SpanContext) -> Headers:
    """Return the headers that carry a span's context; empty if ``context`` is invalid."""
    if not context.is_valid:
        return ()
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0xFF:02x}".encode()
    state = context.trace_state.to_header().encode() if context.trace_state else b""
    if 0 < len(state) <= _LONGEST:
        return ((TRACEPARENT, parent), (TRACESTATE, state))
    return ((TRACEPARENT, parent),)


def context_in(headers: Headers) -> trace.SpanContext | None:
    """Return the context of the span that sent a record; None if the headers have no context or an invalid one."""
    found = [value or b"" for name, value in headers if name == TRACEPARENT]
    if len(found) != 1 or len(found[0]) > _LONGEST:
        return None
    match = _TRACEPARENT.fullmatch(found[0])
    if match is None or (match[1] == b"00" and match[5] is not None):
        return None
    context = trace.SpanContext(
        trace_id=int(match[2], 16),
        span_id=int(match[3], 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(match[4], 16)),
        trace_state=trace.TraceState(_members(headers)),
    )
    return context if context.is_valid else None


def _members(headers: Headers) -> list[tuple[str, str]]:
    """
    Return the members of ``tracestate`` in order. If a header or member is invalid, return no members, because
    OpenTelemetry's API would log invalid members.
    """
    joined = b",".join([value or b"" for name, value in headers if name == TRACESTATE])
    if len(joined) > _LONGEST or not joined.isascii():
        return []
    texts = [text for one in joined.decode().split(",") if (text := one.strip(" \t"))]
    matches = [match for text in texts if (match := _MEMBER.fullmatch(text))]
    is_broken = len(matches) < len(texts) or len(texts) > _MOST_MEMBERS or len({one[1] for one in matches}) < len(texts)
    return [] if is_broken else [(match[1], match[2]) for match in matches]
