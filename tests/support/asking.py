"""Waits for the threads that query servers."""

from __future__ import annotations

import threading

from tests.support.outbox_service import until


def until_all_have_ended() -> None:
    """Wait until the threads that query servers have ended, so that their connections are closed before a test ends."""
    until(lambda: not [one for one in threading.enumerate() if one.name == "event-bus-asking"])
