"""
No web request waits longer than its time limit, even if a server does not answer or a Kafka client is created slowly
(case S15).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from django.test import modify_settings, override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka import create_producer
from event_bus_kafka.assembly.sending import process_clients
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.producing.clients import ProcessClients
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import EventSpilled, EventUndelivered, RecordDelivered, SpillDelayed
from tests.flows.test_sending import send_by, until
from tests.projects.certificates.requesting import login, no_token, producer_of, requests, slow_producer
from tests.projects.process import ServiceProcess
from tests.services.bus import SandboxBus
from tests.services.name_server import silent_name_server
from tests.services.silence import black_hole
from tests.support.databases import connected
from tests.support.sending import SEND
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched

LIMIT = 1.0
LIMITS = {
    "EVENT_BUS_KAFKA_SEND_TIMEOUT": LIMIT,
    "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 0.5,
    "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 0.5,
}
TOLERANCE = 0.7
"""Number of seconds by which a busy machine may exceed a limit."""
NO_TOKEN = {"EVENT_BUS_KAFKA_CLIENT_OPTIONS": login(no_token)}


@pytest.fixture
def file(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default") as file:
        yield file


@contextmanager
def trouble(sandbox: Sandbox, *kinds: str) -> Iterator[Any]:
    """
    Yield a producer whose servers of the given ``kinds`` accept connections and never answer. If ``kinds`` contains
    ``oauth_cb``, the producer's token endpoint is unreachable.
    """
    settings = SandboxBus(sandbox).settings("t") | LIMITS
    with black_hole() as address:
        host, port = address.split(":")
        silent: dict[str, dict[str, Any]] = {
            "oauth_cb": NO_TOKEN,
            "registry": {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{address}"},
            "broker": {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": address},
            "database": {},
        }
        for kind in kinds:
            settings |= silent[kind]
        entry = {"ENGINE": "django.db.backends.postgresql", "NAME": "n", "HOST": host, "PORT": port, "USER": "u"}
        with override_settings(**settings):
            producer = create_producer()
            if "database" in kinds:
                with connected(entry, "default"):
                    yield producer
                    producer.prepare_for_shutdown()
            else:
                yield producer
                producer.prepare_for_shutdown()


@pytest.mark.parametrize(
    "kinds",
    [
        ("oauth_cb",),
        ("registry",),
        ("broker",),
        pytest.param(("database", "oauth_cb"), marks=pytest.mark.real),  # needs the database driver
        pytest.param(("database", "registry", "broker", "oauth_cb"), marks=pytest.mark.real),
    ],
    ids=", ".join,
)
def test_no_web_request_waits_longer_than_its_time_limit(sandbox: Sandbox, file: Path, kinds: tuple[str, ...]) -> None:
    with trouble(sandbox, *kinds) as producer, watched(EventSpilled, EventUndelivered) as seen:
        took = requests(lambda: send_by(producer, "t"))
        producer.prepare_for_shutdown()
    assert_within_limit(took)
    lost = EventUndelivered if "database" in kinds else EventSpilled
    assert [type(event) for event in seen] == [lost] * 40


def assert_within_limit(took: list[float]) -> None:
    assert len(took) == 40
    assert took[-1] < LIMIT + TOLERANCE
    assert took[20] < 0.2, "requests do not wait once the producer has noticed the trouble"


@pytest.mark.parametrize(
    "is_alone", [True, pytest.param(False, marks=pytest.mark.real)], ids=["alone", "with all other servers silent"]
)
def test_no_web_request_waits_longer_than_its_time_limit_for_a_silent_name_server(
    sandbox: Sandbox, file: Path, tmp_path: Path, is_alone: bool
) -> None:
    names = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "kafka.example.org:9092",
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://registry.example.org:8081",
    }
    settings = SandboxBus(sandbox).settings("t") | LIMITS | names
    code = f"from tests.projects.certificates import requesting; requesting.run(has_token={is_alone})"
    with silent_name_server(tmp_path) as before, black_hole() as address:
        if before is None:
            pytest.skip("it takes root, and the right to mount")
        host, port = address.split(":")
        silent = {"ENGINE": "django.db.backends.postgresql", "NAME": "n", "HOST": host, "PORT": port, "USER": "u"}
        here = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}
        settings |= {"DATABASES": {"default": here if is_alone else silent}}
        with ServiceProcess(code=code, settings=settings, before=before) as process:
            assert process.end() == 0, process.log
    (told,) = process.heard("requests")
    assert_within_limit(told["took"])
    assert told["ends"] == {"EventSpilled" if is_alone else "EventUndelivered": 40}


def test_a_client_whose_creation_exceeded_the_send_timeout_sends_the_next_event(sandbox: Sandbox, file: Path) -> None:
    settings = SandboxBus(sandbox).settings("t") | {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 0.3}
    with override_settings(**settings), watched(EventSpilled, RecordDelivered) as seen:
        producer = slow_producer()
        first = send_by(producer, "t")
        until(lambda: [event.event_id for event in seen] == [first])
        until(lambda: producer._connecting.clients is not None)
        with override_settings(EVENT_BUS_KAFKA_SEND_TIMEOUT=60):
            second = send_by(producer, "t")
        until(lambda: len(seen) == 2)
        producer.prepare_for_shutdown()
    assert [(type(event), event.event_id) for event in seen] == [(EventSpilled, first), (RecordDelivered, second)]
    assert OutboxRecord.objects.count() == 1


def test_events_wait_in_memory_for_the_client_if_there_is_no_outbox(sandbox: Sandbox) -> None:
    settings = SandboxBus(sandbox).settings("t") | {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 0.3}
    without = modify_settings(INSTALLED_APPS={"remove": "event_bus_kafka"})
    with override_settings(**settings), without, watched(EventUndelivered, RecordDelivered) as seen:
        producer = slow_producer()
        sent = [send_by(producer, "t") for _ in range(3)]
        producer.prepare_for_shutdown()
    assert [(type(event), event.event_id) for event in seen] == [(RecordDelivered, one) for one in sent]


KILLED_AFTER_FLUSH = """
import math, os
from event_bus_kafka.assembly.sending import shutdown
shutdown.flush(math.inf)
os._exit(0)
"""
"""
Code that sends the waiting events, then ends the process without running exit hooks. Uvicorn ends a process in this way
if it serves an application with ``event_bus_kafka.asgi.lifespan``.
"""


@pytest.mark.parametrize("end", ["", KILLED_AFTER_FLUSH], ids=["ends normally", "killed after a flush"])
def test_a_process_sends_its_event_before_it_ends_even_if_its_client_is_created_slowly(
    sandbox: Sandbox, tmp_path: Path, end: str
) -> None:
    topic = f"waited-for-{len(end)}"
    settings = SandboxBus(sandbox).settings(topic) | {
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "not migrated")}},
        "EVENT_BUS_PRODUCER": "tests.projects.certificates.requesting.slow_producer",
        "EVENT_BUS_KAFKA_SEND_TIMEOUT": 0.1,
        "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 60,
    }
    with ServiceProcess(code=SEND.format(users=[1]) + end, settings=settings) as process:
        assert process.end() == 0, process.log
    assert len(sandbox.records(topic, 1)) == 1, process.log


def test_a_failed_creation_of_a_client_is_not_repeated_for_each_event(sandbox: Sandbox, file: Path) -> None:
    tries = []

    def connect(former: ProcessClients | None) -> ProcessClients:
        tries.append(former)
        raise OSError("the token endpoint is away")

    with override_settings(**SandboxBus(sandbox).settings("t")), watched(EventSpilled) as seen:
        producer = producer_of(connect)
        for _ in range(3):
            send_by(producer, "t")
        producer.prepare_for_shutdown()
    assert len(seen) == 3
    assert len(tries) == 1


def test_an_event_is_lost_after_its_delivery_timeout_if_there_is_neither_a_client_nor_an_outbox(
    sandbox: Sandbox,
) -> None:
    limits = {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 0.3, "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 1}
    settings = SandboxBus(sandbox).settings("t") | limits | NO_TOKEN
    without = modify_settings(INSTALLED_APPS={"remove": "event_bus_kafka"})
    with override_settings(**settings), without, watched(EventUndelivered) as seen:
        producer = create_producer()
        sent = [send_by(producer, "t") for _ in range(2)]
        until(lambda: len(seen) == 2)
        last = send_by(producer, "t")
        with override_settings(EVENT_BUS_KAFKA_DELIVERY_TIMEOUT=0.1):
            producer.prepare_for_shutdown()
    assert [event.event_id for event in seen] == [*sent, last]


def test_events_wait_for_the_replacement_of_a_failed_client_if_there_is_no_outbox(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The test purges the first client, as the producer does after a fatal error. While the token endpoint is unreachable,
    no other client can be created.
    """
    monkeypatch.setattr("event_bus_kafka.producing.connecting._REST", 0.1)
    away: list[bool] = []

    def connect(former: ProcessClients | None) -> ProcessClients:
        if any(away):
            raise OSError("the token endpoint is away")
        return process_clients(former)

    without = modify_settings(INSTALLED_APPS={"remove": "event_bus_kafka"})
    with override_settings(**SandboxBus(sandbox).settings("t", EVENT_BUS_KAFKA_SEND_TIMEOUT=60)), without:
        producer = producer_of(connect)
        with watched(EventUndelivered, RecordDelivered) as seen:
            send_by(producer, "t")
            until(lambda: len(seen) == 1)
            assert producer._connecting.clients is not None
            producer._connecting.clients.producer.purge()
            away.append(True)
            send_by(producer, "t")
            away.clear()
            until(lambda: len(seen) == 2)
        producer.prepare_for_shutdown()
    assert [type(event) for event in seen] == [RecordDelivered, RecordDelivered]


def test_the_delivery_timeout_of_an_event_includes_the_wait_for_a_client(
    sandbox: Sandbox, tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The event waits for a client, and for the locked database, because the producer does not know yet whether the
    database has an outbox. Both waits count towards the delivery timeout.
    """
    passed = [0.0]
    monkeypatch.setattr("event_bus_kafka.producing.producer.monotonic", lambda: monotonic() + passed[0])
    monkeypatch.setattr("event_bus_kafka.producing.spill_buffer._LONGEST_PAUSE", 0.1)
    limits = {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 0.3, "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 3_600}
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db"), "OPTIONS": {"timeout": 0.1}}

    def connect(former: ProcessClients | None) -> ProcessClients:
        raise OSError("the token endpoint is away")

    with (
        django_db_blocker.unblock(),
        connected(entry, "default"),
        closing(sqlite3.connect(tmp_path / "db", isolation_level=None)) as lock,
        override_settings(**SandboxBus(sandbox).settings("t") | limits),
        watched(SpillDelayed, EventUndelivered) as seen,
    ):
        lock.execute("BEGIN EXCLUSIVE")
        send_by(producer_of(connect), "t")
        until(lambda: len(seen) > 0)
        passed[0] = 3_601
        lock.execute("ROLLBACK")
        until(lambda: isinstance(seen[-1], EventUndelivered))
