"""A service starts to read a topic long after the events were sent (use case 8d of the tour in examples/)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.support.examples_of import certificate
from tests.support.replays import put
from tests.support.sending import send

pytestmark = pytest.mark.real

DAY = 24 * 3600


@pytest.fixture
def month(bus: RealBus, cluster: KafkaCluster, group: str) -> str:
    """
    Return a topic with a long retention and two partitions. Each of the last thirty days has one event; the event of
    user N is N days old.
    """
    topic, now = f"kept-{group}", time.time()
    cluster.create_topic(topic, 2, {"retention.ms": "-1"})
    for user in range(30, 0, -1):
        put(bus, topic, user, at=round((now - user * DAY) * 1000), partition=user % 2)
    return topic


def late_service(bus: RealBus, topic: str, group: str, **extra: Any) -> ServiceProcess:
    arguments = ("consume_events", "-t", topic, "-g", group, "--extra", json.dumps(extra))
    return ServiceProcess(*arguments, settings=bus.settings(), receivers="note")


def users_of(process: ServiceProcess, parity: int) -> list[int]:
    return [user for user in process.users("note") if user % 2 == parity]


def test_a_new_service_reads_all_events_that_were_sent_before_its_first_start(
    bus: RealBus, month: str, group: str
) -> None:
    with late_service(bus, month, group) as process:
        process.wait_for(lambda: len(process.users("note")) >= 30, "for a month of events")
        send(bus, month, certificate(100))
        process.wait_for(lambda: 100 in process.users("note"), "for what is sent now")
        assert process.stop() == 0
    assert users_of(process, 1) == list(range(29, 0, -2))
    assert [user for user in users_of(process, 0) if user != 100] == list(range(30, 0, -2))


def test_a_new_service_starts_at_a_date_and_continues_at_its_committed_offset_after_a_restart(
    bus: RealBus, month: str, group: str
) -> None:
    date = datetime.fromtimestamp(time.time() - 10.5 * DAY, UTC).isoformat()
    with late_service(bus, month, group, offset_time=date) as process:
        process.wait_for(lambda: len(process.users("note")) >= 10, "for ten days of events")
        assert process.stop() == 0
    assert sorted(process.users("note")) == list(range(1, 11))
    send(bus, month, certificate(100))
    with late_service(bus, month, group, offset_time=date) as process:
        process.wait_for(lambda: process.users("note"), "for what came while it was stopped")
        assert process.stop() == 0
    assert process.users("note") == [100]
