"""The event of a probe: its type is none of openedx-events', so that no receiver of a service ever sees it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.dispatch import Signal

PROBE_TOPIC = "event-bus-probe"
"""Without prefix."""
KEY_FIELD = "probe_id"


class _ProbeSignal(Signal):
    """A signal that is in no list of signals: nothing can be connected to it by its type."""

    event_type: ClassVar = "event_bus_probe"
    """Without hyphens: it is the namespace of the schema, too, and some registries refuse them there."""
    minor_version: ClassVar = 0
    init_data: ClassVar[dict[str, Any]] = {KEY_FIELD: str}


probe_signal = _ProbeSignal()
