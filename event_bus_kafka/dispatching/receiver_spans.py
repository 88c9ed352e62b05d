"""Opens a span for each receiver inside the span of the attempt, to show the receiver's duration and failure."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from event_bus_kafka.dispatching.dispatch import Failures, Receiver, dispatch
from event_bus_kafka.telemetry.tracing import NoSpan, is_recording, open_span
from event_bus_kafka.wire.records import Event

Before = Callable[[Receiver], None]
After = Callable[[], Exception | None]


def dispatch_in_spans(event: Event, receivers: list[Receiver], *, before_each: Before, after_each: After) -> Failures:
    """Dispatch an event; return the failures. If the attempt's span is recorded, open a span for each receiver."""
    if not is_recording():
        return dispatch(event, receivers, before_each=before_each, after_each=after_each)
    with _ReceiverSpans(before_each, after_each) as spans:
        failed = dispatch(event, receivers, before_each=spans.begin, after_each=spans.leave)
        spans.tell(failed)
        return failed


class _ReceiverSpans:
    """The spans of one attempt's receivers. All of them end after the last receiver, when the failures are known."""

    def __init__(self, before_each: Before, after_each: After) -> None:
        self._before_each = before_each
        self._after_each = after_each
        self._spans: list[tuple[Receiver, NoSpan]] = []

    def __enter__(self) -> _ReceiverSpans:
        return self

    def __exit__(self, *about: type[BaseException] | BaseException | TracebackType | None) -> None:
        for _, span in reversed(self._spans):
            span.__exit__(*about)  # type: ignore[arg-type]

    def begin(self, receiver: Receiver) -> None:
        self._before_each(receiver)
        span = open_span(receiver.name)
        span.__enter__()
        self._spans.append((receiver, span))

    def leave(self) -> Exception | None:
        left = self._after_each()
        self._spans[-1][1].leave()
        return left

    def tell(self, failed: Failures) -> None:
        for receiver, span in self._spans:
            for error in [error for one, error in failed if one is receiver]:
                span.fail(error)
