"""When Kafka clients are replaced or end, no confirmed event is spilled, and no event is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread, current_thread
from time import monotonic, sleep

import pytest
from confluent_kafka import KafkaError
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka import create_producer
from event_bus_kafka.assembly.sending import process_clients, spill
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import EventSpilled, EventUndelivered, RecordDelivered
from tests.flows.test_sending import fates, send_by
from tests.services.bus import SandboxBus
from tests.support.direct import encoded
from tests.support.outbox_service import until
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched


@pytest.fixture(autouse=True)
def file(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default") as file:
        yield file


def test_confirmed_events_are_not_spilled_even_if_their_delivery_reports_were_not_polled(sandbox: Sandbox) -> None:
    rarely = {"EVENT_BUS_KAFKA_POLL_INTERVAL_SEC": 60}
    with (
        override_settings(**SandboxBus(sandbox).settings("confirmed") | rarely),
        watched(RecordDelivered, EventSpilled) as seen,
    ):
        clients, events = process_clients(), [encoded("confirmed") for _ in range(3)]
        for event in events:
            clients.produce(event, None, monotonic() + 60)
        until(lambda: len(sandbox.records("confirmed", 3)) == 3)
        sleep(0.3)  # until the broker has answered
        clients.give_up()
        clients.registry.close()
    assert {type(event) for event in seen} == {RecordDelivered}


class Slow:
    """A router that blocks the thread ``report`` until the test sets ``goes_on``."""

    was_asked, goes_on = Event(), Event()

    def db_for_write(self, *_: object, **__: object) -> None:
        if current_thread().name == "report":
            self.was_asked.set()
            self.goes_on.wait(60)


def test_a_client_is_given_up_only_after_its_running_spill_has_ended(sandbox: Sandbox) -> None:
    settings = SandboxBus(sandbox).settings("t") | {"DATABASE_ROUTERS": [f"{__name__}.Slow"]}
    with override_settings(**settings), watched(EventSpilled, EventUndelivered) as seen:
        clients = process_clients()
        clients.unreported[7] = encoded("t"), None
        refused = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
        report = Thread(target=clients.reported, args=(7, refused, None), name="report", daemon=True)
        end = Thread(target=clients.give_up, daemon=True)
        report.start()
        assert Slow.was_asked.wait(60)
        end.start()
        end.join(0.3)
        assert end.is_alive()
        Slow.goes_on.set()
        end.join(60)
        assert spill.finish(60) == 0
        clients.retire()
        clients.registry.close()
    assert [type(event) for event in seen] == [EventSpilled]
    assert OutboxRecord.objects.count() == 1


def test_prepare_for_shutdown_waits_for_clients_that_were_replaced(sandbox: Sandbox) -> None:
    slow, fast = ({"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"linger.ms": linger}} for linger in (3_000, 0))
    settings = SandboxBus(sandbox).settings("t") | {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 60}
    with override_settings(**settings), watched(RecordDelivered, EventSpilled) as seen:
        producer = create_producer()
        with override_settings(**slow):
            sent = [send_by(producer, "t")]
        assert producer._connecting.clients is not None
        producer._connecting.clients.producer.failure = BrokerError("_FATAL", "as it seems")
        with override_settings(**fast):
            sent.append(send_by(producer, "t"))
            producer.prepare_for_shutdown()
        assert fates(seen, sent) == [RecordDelivered, RecordDelivered]
        until(lambda: len(seen) == 2)
