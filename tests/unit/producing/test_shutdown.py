"""What the end of a process is told by."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from event_bus_kafka.assembly.sending import shutdown
from event_bus_kafka.telemetry.events import ThreadsDisabled
from tests.support.watching import watched


@pytest.mark.parametrize(("has_threads", "warnings"), [(0, 1), (1, 0)])
def test_a_uwsgi_without_threads_is_warned_of_once_per_process(
    monkeypatch: pytest.MonkeyPatch, has_threads: int, warnings: int
) -> None:
    """Older releases have them off by default."""
    monkeypatch.setattr(shutdown, "_end", None)
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(has_threads=has_threads))
    with watched(ThreadsDisabled) as seen:
        shutdown.watch()
        shutdown.watch()
    assert len(seen) == warnings
