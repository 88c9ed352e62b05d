"""The number and the size of events that wait in memory for the outbox are limited."""

from __future__ import annotations

from time import monotonic

import pytest

from event_bus_kafka.producing import spill_buffer
from event_bus_kafka.producing.spill_buffer import BufferedEvent, SpillBuffer
from tests.support.direct import encoded


def test_a_full_buffer_refuses_events_of_senders_but_accepts_events_from_delivery_reports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = [BufferedEvent(encoded("t"), RuntimeError("away")) for _ in range(4)]
    monkeypatch.setattr(spill_buffer, "MOST_BYTES", events[0].size)
    buffer = SpillBuffer()
    assert buffer.put(events[0], None)
    assert buffer.put(events[1], None)
    assert not buffer.put(events[2], monotonic() + 0.01)
    assert buffer.put(events[3], None)


def test_a_sender_does_not_wait_if_the_database_has_accepted_no_row_for_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = [BufferedEvent(encoded("t"), RuntimeError("away")) for _ in range(2)]
    monkeypatch.setattr(spill_buffer, "MOST_BYTES", events[0].size)
    buffer = SpillBuffer()
    assert buffer.put(events[0], None)
    buffer.took_at -= 60
    began = monotonic()
    assert not buffer.put(events[1], began + 30)
    assert monotonic() - began < 20
