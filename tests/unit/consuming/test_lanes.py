"""The number of awake lanes adapts to the load."""

from __future__ import annotations

import pytest

from event_bus_kafka.consuming.lanes import LanePace


@pytest.mark.parametrize(
    ("share", "stuck", "awake", "then"),
    [
        (0.1, 0, 1, 2),
        (0.1, 0, 8, 16),
        (0.1, 0, 16, 16),
        (0.9, 0, 8, 8),
        (1.0, 0, 8, 6),
        (1.3, 0, 1, 1),
        (1.0, 3, 4, 4),
        (1.0, 16, 16, 16),
    ],
    ids=[
        "low CPU share doubles awake lanes",
        "low CPU share wakes all lanes at most",
        "low CPU share with all lanes awake changes nothing",
        "medium CPU share changes nothing",
        "high CPU share puts a quarter to sleep",
        "high CPU share never puts the last lane to sleep",
        "stuck lanes are replaced by awake ones",
        "stuck lanes are replaced as long as lanes are left",
    ],
)
def test_the_number_of_awake_lanes_adapts_to_the_cpu_share_and_to_stuck_lanes(
    share: float, stuck: int, awake: int, then: int
) -> None:
    pace = LanePace(16, awake)
    pace.adapt(share, stuck)
    assert pace.awake == then
