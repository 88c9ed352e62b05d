"""A process that ends waits a limited time for Kafka and for the outbox."""

from __future__ import annotations

from time import sleep

import attrs
import pytest

from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.producing.shutdown import Shutdown, deadlines_of
from event_bus_kafka.producing.spill import Spill


@attrs.frozen
class Limits:
    send_timeout: float = 2.0
    delivery_timeout: float = 30.0
    shutdown_flush: float = 5.0
    shutdown_spill: float = 3.0


@pytest.mark.parametrize(
    ("began", "is_away", "kafka", "outbox"),
    [
        (None, False, 105, 108),
        (None, True, 105, 108),
        (100, False, 105, 108),
        (98, False, 103, 106),
        (95, False, 100.5, 103),  # the time limit for Kafka is over
        (95, True, 100, 103),  # Kafka is known to be unreachable
        (50, False, 100.5, 101),  # both time limits are over
        (50, True, 55, 101),
    ],
)
def test_the_time_limits_for_kafka_and_the_outbox_start_with_the_shutdown_of_the_process(
    began: float | None, is_away: bool, kafka: float, outbox: float
) -> None:
    assert deadlines_of(began, 100, Limits(), is_away=is_away) == (kafka, outbox)


def test_periodic_work_starts_once_per_process_and_is_finished_only_if_it_has_started() -> None:
    """
    In mode ``outbox`` a process has no Kafka clients. Its periodic work is nevertheless finished when the process ends.
    """
    begun: list[None] = []
    finished: list[float] = []
    spill = Spill(Outbox(notify=lambda: False))
    shutdown = Shutdown(Limits(), spill, begin=lambda: begun.append(None), finish=finished.append)
    shutdown._end()
    assert (len(begun), finished) == (0, [])
    shutdown.begin()
    shutdown.begin()
    shutdown._end()
    assert (len(begun), finished) == (1, [1.0])
    shutdown._begun.clear()  # as in a child
    shutdown._end()
    assert finished == [1.0]
    shutdown.begin()
    assert len(begun) == 2


def test_all_exit_hooks_together_wait_at_most_a_second_for_periodic_work() -> None:
    """
    uWSGI and celery run several exit hooks. Without a common limit, each exit hook would wait for an unreachable
    database.
    """
    asked: list[float] = []

    def finish(seconds: float) -> None:
        asked.append(seconds)
        sleep(min(seconds, 0.6))

    shutdown = Shutdown(Limits(), Spill(Outbox(notify=lambda: False)), begin=lambda: None, finish=finish)
    shutdown.begin()
    for _ in range(3):
        shutdown._end()
    assert asked[0] == 1.0
    assert asked[1] <= 0.4
    assert asked[2] == 0.0
    shutdown.finish_periodic_work()
    assert asked[3] == 1.0, "outside the exit hooks the limit is a second again"
