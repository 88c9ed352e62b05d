"""Connects openedx-events' handler, which passes emitted events to the producer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from openedx_events.apps import general_signal_handler
from openedx_events.tooling import OpenEdxPublicSignal


@contextmanager
def handler_connected() -> Iterator[None]:
    """
    Connect the handler to all signals while the block runs, if the app of openedx-events is installed.

    At start-up the app connects the handler only to the signals that are configured then. A test that overrides the
    configuration may send other signals.
    """
    connected = [signal for signal in OpenEdxPublicSignal.all_events() if _connect(signal)]
    try:
        yield
    finally:
        for signal in connected:
            signal.disconnect(general_signal_handler)


def _connect(signal: OpenEdxPublicSignal) -> bool:
    """
    Connect the handler, if the app openedx_events is installed. Return False if the app is not installed, or if the
    handler was connected before.
    """
    if not apps.is_installed("openedx_events"):
        return False
    was_connected = signal.disconnect(general_signal_handler)
    signal.connect(general_signal_handler)
    return not was_connected
