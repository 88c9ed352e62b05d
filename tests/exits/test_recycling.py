"""
Web servers and celery regularly replace their processes while a broker restarts. No event is lost.

`make test` sends few events. `make test-long` sends many events and prints figures.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.exits.ways import RECYCLING, Running, running
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry
from tests.support.databases import Database
from tests.support.outbox_service import Service
from tests.support.scale import scaled
from tests.support.writing import everything

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(3600)]

_AT_A_TIME = 40


def emit(services: list[Running], count: int, begin: int) -> None:
    """Let each service emit ``count`` events. The services take turns."""
    for first in range(begin, begin + count, _AT_A_TIME):
        for number, service in enumerate(services):
            offset = (number + 1) * 1_000_000
            service.emit([offset + one for one in range(first, min(first + _AT_A_TIME, begin + count))])


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_case_24_32_33_all_events_of_recycled_processes_arrive_although_a_broker_restarts(
    schema_registry: SchemaRegistry, database: Database, tmp_path: Path
) -> None:
    count = scaled(4, long=112)
    with ExitStack() as stack:
        cluster = stack.enter_context(KafkaCluster())
        bus = RealBus(cluster, schema_registry)
        bus.create_topic("recycled")
        stack.enter_context(database.connected("default"))
        outbox = stack.enter_context(Service(bus=bus, topic="recycled", entry=database.entry).configured())
        settings = outbox.process_settings(EVENT_BUS_PRODUCER_MODE="on-commit", EVENT_BUS_KAFKA_SHUTDOWN_FLUSH=1)
        with ExitStack() as processes:
            services = [
                processes.enter_context(running(way, tmp_path / name, settings)) for name, way in RECYCLING.items()
            ]
            emit(services, count, 0)
            cluster.kill(1)
            emit(services, count, 1_000)
            cluster.start(1)
            emit(services, count, 2_000)
        spilled = outbox.waiting
        outbox.drain()
        arrived = everything(bus, "recycled")
    numbers = {number for number, _ in arrived}
    processes_of = [len({process for number, process in arrived if number // 1_000_000 == one}) for one in (1, 2, 3)]
    print(f"{len(numbers)} events, {len(arrived)} records, {spilled} spilled, processes {processes_of}")
    assert len(numbers) == 9 * count
    assert all("Traceback" not in service.log for service in services)
