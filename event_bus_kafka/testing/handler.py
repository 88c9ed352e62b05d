"""openedx-events' handler, which gives emitted events to the producer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from openedx_events.apps import general_signal_handler
from openedx_events.tooling import OpenEdxPublicSignal


@contextmanager
def handler_connected() -> Iterator[None]:
    """
    Connect it to all signals inside the block, where the app of openedx-events is installed.

    At start-up it is connected to the signals configured then; a configuration that a test overrides must hold as well.
    """
    connected = [signal for signal in OpenEdxPublicSignal.all_events() if _connect(signal)]
    try:
        yield
    finally:
        for signal in connected:
            signal.disconnect(general_signal_handler)


def _connect(signal: OpenEdxPublicSignal) -> bool:
    """Return whether it was not connected before."""
    if not apps.is_installed("openedx_events"):
        return False
    was_connected = signal.disconnect(general_signal_handler)
    signal.connect(general_signal_handler)
    return not was_connected
