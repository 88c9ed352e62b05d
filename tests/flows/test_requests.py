"""However long a server, or a client's constructor, keeps silent: no request waits beyond its limit (S15)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from django.test import modify_settings, override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka import create_producer
from event_bus_kafka.assembly import sending
from event_bus_kafka.conf import settings as conf
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.producing.clients import ProcessClients
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import EventSpilled, EventUndelivered, RecordDelivered
from tests.flows.test_sending import send_by, until
from tests.services.bus import SandboxBus
from tests.services.silence import black_hole
from tests.support.databases import connected
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched

LIMIT = 1.0
TOLERANCE = 0.7
"""Seconds that a busy machine may add."""


def login(token: Callable[[str], Any]) -> dict[str, Any]:
    options = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", "oauth_cb": token}
    return {"EVENT_BUS_KAFKA_CLIENT_OPTIONS": options}


def no_token(_: str) -> None:
    raise OSError("the token endpoint is away")


@pytest.fixture
def file(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default") as file:
        yield file


@contextmanager
def trouble(sandbox: Sandbox, *kinds: str) -> Iterator[Any]:
    """Give a producer of a service around which some servers are silent."""
    settings = SandboxBus(sandbox).settings("t") | {"EVENT_BUS_KAFKA_SEND_TIMEOUT": LIMIT}
    limits = {"EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 0.5, "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 0.5}
    with black_hole() as address:
        host, port = address.split(":")
        silent: dict[str, dict[str, Any]] = {
            "oauth_cb": login(no_token),
            "registry": {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{address}"},
            "broker": {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": address},
            "database": {},
        }
        for kind in kinds:
            settings |= silent[kind]
        entry = {"ENGINE": "django.db.backends.postgresql", "NAME": "n", "HOST": host, "PORT": port, "USER": "u"}
        with override_settings(**settings | limits):
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
        pytest.param(("database", "oauth_cb"), marks=pytest.mark.real),  # wants the driver
        pytest.param(("database", "registry", "broker", "oauth_cb"), marks=pytest.mark.real),
    ],
    ids=", ".join,
)
def test_no_request_waits_beyond_its_limit(sandbox: Sandbox, file: Path, kinds: tuple[str, ...]) -> None:
    took: list[float] = []

    def request(producer: Any) -> None:
        for _ in range(10):
            began = monotonic()
            send_by(producer, "t")
            took.append(monotonic() - began)

    with trouble(sandbox, *kinds) as producer, watched(EventSpilled, EventUndelivered) as seen:
        threads = [threading.Thread(target=request, args=(producer,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        producer.prepare_for_shutdown()
    took.sort()
    assert len(took) == 40
    assert took[-1] < LIMIT + TOLERANCE
    assert took[20] < 0.2, "once it is known, nobody waits"
    lost = EventUndelivered if "database" in kinds else EventSpilled
    assert [type(event) for event in seen] == [lost] * 40


def slow_producer() -> KafkaEventProducer:
    """Return a producer whose clients take a second to be made."""

    def connect() -> ProcessClients:
        sleep(1)
        return sending.process_clients()

    return KafkaEventProducer(
        routing=sending._routing,
        limits=conf.settings,
        connect=connect,
        outbox=sending.outbox,
        spill=sending.spill,
        shutdown=sending.shutdown,
    )


def test_a_client_that_is_late_is_used_once_it_is_there(sandbox: Sandbox, file: Path) -> None:
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


def test_without_an_outbox_events_wait_in_memory_for_the_client(sandbox: Sandbox) -> None:
    settings = SandboxBus(sandbox).settings("t") | {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 0.3}
    without = modify_settings(INSTALLED_APPS={"remove": "event_bus_kafka"})
    with override_settings(**settings), without, watched(EventUndelivered, RecordDelivered) as seen:
        producer = slow_producer()
        sent = [send_by(producer, "t") for _ in range(3)]
        producer.prepare_for_shutdown()
    assert [(type(event), event.event_id) for event in seen] == [(RecordDelivered, one) for one in sent]


def test_what_has_waited_in_vain_is_lost_with_an_error(sandbox: Sandbox) -> None:
    limits = {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 0.3, "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 1}
    settings = SandboxBus(sandbox).settings("t") | limits | login(no_token)
    without = modify_settings(INSTALLED_APPS={"remove": "event_bus_kafka"})
    with override_settings(**settings), without, watched(EventUndelivered) as seen:
        producer = create_producer()
        sent = [send_by(producer, "t") for _ in range(2)]
        until(lambda: len(seen) == 2)
        last = send_by(producer, "t")
        with override_settings(EVENT_BUS_KAFKA_DELIVERY_TIMEOUT=0.1):
            producer.prepare_for_shutdown()
    assert [event.event_id for event in seen] == [*sent, last]
