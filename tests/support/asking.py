"""Looks that were begun in threads and not waited for."""

from __future__ import annotations

import threading

from tests.support.outbox_service import until


def until_all_have_ended() -> None:
    """Wait for the threads in which servers are asked: their connections are to be closed before a test ends."""
    until(lambda: not [one for one in threading.enumerate() if one.name == "event-bus-asking"])
