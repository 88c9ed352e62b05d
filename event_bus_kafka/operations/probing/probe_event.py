"""
Defines the event of a probe. Its event type is not defined in openedx-events, so that no receiver of any service gets
the event.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.dispatch import Signal

PROBE_TOPIC = "event-bus-probe"
"""Name of the probe's topic, without prefix."""
KEY_FIELD = "probe_id"


class _ProbeSignal(Signal):
    """A signal that is not registered in openedx-events, so that no receiver can be connected by its event type."""

    event_type: ClassVar = "event_bus_probe"
    """The event type. It is also the namespace of the schema, and some registries refuse hyphens in a namespace."""
    minor_version: ClassVar = 0
    init_data: ClassVar[dict[str, Any]] = {KEY_FIELD: str}


probe_signal = _ProbeSignal()
