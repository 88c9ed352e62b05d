"""
All events that a process sends before it ends or forks are delivered to Kafka or stored in the outbox. If neither is
possible, the process logs them.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.exits.ways import WAYS, running
from tests.services.bus import RealBus
from tests.services.silence import black_hole
from tests.support.databases import Database
from tests.support.outbox_service import Service
from tests.support.scale import LONG
from tests.support.writing import everything

pytestmark = pytest.mark.real

PATIENT = {
    "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30,
    "EVENT_BUS_KAFKA_SEND_TIMEOUT": 60,
    "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 25,
    "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 25,
}
"""Time limits that are long enough for a slow machine."""
LINGERS = PATIENT | {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"linger.ms": 1_000}}
"""
Settings with which each record waits in the client for a second. A process that does not wait for the delivery of its
records loses these records.
"""
SERVERS = [way for way in WAYS if way.startswith(("gunicorn", "uwsgi", "uvicorn", "hypercorn", "daphne", "celery"))]
SERVERS.remove("celery --max-tasks-per-child")  # one process per event is tested in test_recycling.py
FORKING = (
    "gunicorn --preload",
    "uwsgi",
    "uwsgi --py-call-uwsgi-fork-hooks",
    "celery",
    "multiprocessing fork",
    "os.fork",
)
"""
The ways in which a process loads the application and forks afterwards, so that the application can send an event before
the fork.
"""


@pytest.mark.skipif(not LONG, reason="takes ten minutes")
@pytest.mark.long
@pytest.mark.parametrize("way", SERVERS)
def test_s16_all_events_are_in_kafka_after_a_server_was_started_and_stopped_five_times(
    way: str, bus: RealBus, topic: str, tmp_path: Path
) -> None:
    """
    The test verifies the table of process ends in docs/operating/senders.rst. Only `make test-long` runs this test.
    """
    processes, count = 5, 200
    numbers = iter(range(processes * count))
    for number in range(processes):
        with running(WAYS[way], tmp_path / str(number), bus.settings(topic, **LINGERS)) as service:
            service.emit(list(islice(numbers, count)))
    assert sorted(number for number, _ in everything(bus, topic)) == list(range(processes * count))


@pytest.mark.parametrize("way", WAYS)
def test_case_32_33_kafka_has_all_events_that_a_process_emitted_before_its_end(
    way: str, bus: RealBus, topic: str, tmp_path: Path
) -> None:
    first, last = [1] * (way in FORKING), [9] * ("uwsgi" in way)
    more = {"EMIT_FIRST": "1" * len(first), "EMIT_LAST": "9"}
    with running(WAYS[way], tmp_path, bus.settings(topic, **LINGERS), **more) as service:
        service.emit([2, 3])
    arrived = everything(bus, topic)
    assert sorted(number for number, _ in arrived) == [*first, 2, 3, *last], service.log
    process_of = dict(arrived)
    assert process_of.get(1) not in (process_of[2], process_of[3])
    assert "Traceback" not in service.log


@pytest.mark.parametrize(
    ("way", "database"),
    [
        ("gunicorn --preload", "postgresql"),
        ("uwsgi", "mariadb"),
        ("uwsgi --lazy-apps", "postgresql"),
        ("uwsgi --skip-atexit-teardown", "mariadb"),
        ("celery --max-tasks-per-child", "postgresql"),
        ("multiprocessing fork", "mariadb"),
        ("multiprocessing spawn", "postgresql"),
        ("a process that ends", "postgresql"),
        ("a process that ends", "mariadb"),
    ],
    indirect=["database"],
)
def test_case_32_33_events_are_stored_in_the_outbox_if_no_broker_is_reachable(
    way: str, bus: RealBus, topic: str, database: Database, tmp_path: Path
) -> None:
    """In this test, a process that forks emits no event before its fork."""
    with database.connected("default"), Service(bus=bus, topic=topic, entry=database.entry).configured() as outbox:
        away = PATIENT | {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.5}
        settings = outbox.process_settings(EVENT_BUS_PRODUCER_MODE="on-commit", **away)
        with running(WAYS[way], tmp_path, settings) as service:
            service.emit([1, 2, 3])
        assert outbox.waiting == 3, service.log
        assert "Traceback" not in service.log
        outbox.drain()
    assert sorted(number for number, _ in everything(bus, topic)) == [1, 2, 3]


def test_case_33_a_process_ends_and_logs_its_lost_events_if_broker_and_database_are_silent(
    bus: RealBus, topic: str, tmp_path: Path
) -> None:
    """Neither Kafka nor the outbox accepts the events."""
    with black_hole() as address:
        host, port = address.split(":")
        entry = {"ENGINE": "django.db.backends.postgresql", "NAME": "silent", "HOST": host, "PORT": port, "USER": "any"}
        limits = {"EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.5, "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 0.5}
        settings = bus.settings(
            topic, EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=address, DATABASES={"default": entry}, **limits
        )
        with running(WAYS["a process that ends"], tmp_path, settings) as service:
            service.emit([1, 2])
    line = "did not store it: AppendFailed: the process ended before the database accepted the event"
    assert service.log.count(line) == 2, service.log
    assert service.log.count(f"topic={topic}, event_type=") == 2
    assert "learner@example.com" not in service.log
