"""
Tools for tests of services that send and receive events, without Kafka: see docs/testing.rst.

With pytest the fixtures ``captured_events`` and ``event_bus_sandbox`` are available without an import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_bus_kafka.testing.captured import CapturedEvent, CapturedEvents, UnsendableEvent
    from event_bus_kafka.testing.capturing import captured_events
    from event_bus_kafka.testing.delivering import deliver
    from event_bus_kafka.testing.schemas import assert_schema_compatible, assert_schema_unchanged

_MODULES = {
    "CapturedEvent": "captured",
    "CapturedEvents": "captured",
    "UnsendableEvent": "captured",
    "assert_schema_compatible": "schemas",
    "assert_schema_unchanged": "schemas",
    "captured_events": "capturing",
    "deliver": "delivering",
}
__all__ = [
    "CapturedEvent",
    "CapturedEvents",
    "UnsendableEvent",
    "assert_schema_compatible",
    "assert_schema_unchanged",
    "captured_events",
    "deliver",
]


def __getattr__(name: str) -> Any:
    """Import attributes on first use, since pytest loads this package's plugin before Django is set up."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
