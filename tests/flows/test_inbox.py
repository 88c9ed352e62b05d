"""A receiver under ``once()`` runs only once per event, even if its worker is killed before it commits the offset."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests.services.bus import Bus
from tests.support.dead_letter_command import table
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

__all__ = ["table"]


def test_a_receiver_under_once_does_not_run_again_if_it_succeeded_before_its_worker_was_killed(
    bus: Bus, topic: str, group: str, table: dict[str, Any], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    settings = table | {"EVENT_BUS_KAFKA_RETRY": {"attempts": 1000, "first_delay": 0.1, "factor": 1}}
    receivers, environment = "once.award,wait_for_file", {"GATE": str(gate)}
    send(bus, topic, certificate(1))
    with worker(bus, topic, group, receivers, environment, **settings) as process:
        process.wait_for(lambda: len(process.users("gate")) > 1, "for a retry")
        assert process.users("award") == [1]
        process.send(signal.SIGKILL)
        process.end()
    gate.touch()
    send(bus, topic, certificate(2))
    with worker(bus, topic, group, receivers, environment, **settings) as process:
        process.wait_for_users("gate", [1, 2])
        process.wait_for_users("award", [2])
        assert process.stop() == 0
    assert bus.committed(group, topic) == 2
