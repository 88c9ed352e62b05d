"""A held request continues after growing delays. Some reasons for a hold have a time limit, which ends the request."""

from __future__ import annotations

from event_bus_kafka.replaying.halts import Halt, HaltKind
from event_bus_kafka.replaying.holds import Held

AWAY = Halt(HaltKind.HELD, "away")
MISSING = Halt(HaltKind.HELD, "missing", within=60)


def test_the_delay_of_a_held_request_doubles_up_to_a_minute() -> None:
    held, delays = Held(), []
    for _ in range(8):
        held = held.again(AWAY, 100.0)
        delays.append(held.until - 100)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert not held.is_too_long


def test_an_outage_does_not_count_towards_the_time_limit_for_a_missing_topic() -> None:
    """
    An outage holds a request without a limit. A missing topic holds a request for at most 60 s. After an outage the
    60 s begin anew, because topics can be missing for a moment when Kafka is back.
    """
    held = Held().again(AWAY, 0.0).again(AWAY, 3_600.0).again(MISSING, 3_660.0)
    assert not held.is_too_long
    assert held.again(MISSING, 3_720.0).is_too_long
    assert not held.again(AWAY, 3_719.0).again(MISSING, 3_720.0).is_too_long
