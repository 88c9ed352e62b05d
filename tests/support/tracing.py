"""
A monitoring backend that stores all its spans. Like OpenTelemetry, this backend stores the current span in a context
variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import attrs
from edx_django_utils.monitoring import TelemetryBackend


@attrs.define(eq=False)
class Span:
    name: str
    parent: Span | None
    attributes: dict[str, Any] = attrs.field(factory=dict)
    errors: int = 0

    @property
    def path(self) -> str:
        """The names of all spans on the path from the root to this span."""
        return f"{self.parent.path} > {self.name}" if self.parent else self.name


spans: list[Span] = []
"""All spans that were opened, in the order of their starts."""
_current: ContextVar[Span | None] = ContextVar("span", default=None)


@contextmanager
def span(name: str) -> Iterator[None]:
    """Open a span inside the current span until the block ends. Receivers of tests may also call this function."""
    opened = Span(name, _current.get())
    spans.append(opened)
    token = _current.set(opened)
    try:
        yield
    finally:
        _current.reset(token)


class Spans(TelemetryBackend):  # type: ignore[misc]
    def create_span(self, name: str, operation_name: str | None = None) -> Any:
        return span(name)

    def set_attribute(self, key: str, value: Any) -> None:
        if current := _current.get():
            current.attributes[key] = value

    def record_exception(self) -> None:
        if current := _current.get():
            current.errors += 1

    def tag_root_span_with_error(self, exception: BaseException) -> None: ...

    def set_local_root_span_name(self, name: str, group: str | None = None, priority: int | None = None) -> None: ...
